//! The local executor keeps the port's contract.

use pipelines::{LocalExecutor, conformance};

macro_rules! conforms {
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                conformance::$name(&LocalExecutor::new(), dir.path()).await;
            }
        )+
    };
}

conforms!(
    tells_lines_and_exit,
    keeps_the_result_of_a_script,
    reads_output_parameters,
    names_a_command_that_is_missing,
    ends_everything_on_cancellation,
);

#[tokio::test]
async fn a_process_left_in_the_background_ends_with_its_step() {
    let dir = tempfile::tempdir().unwrap();
    let step = conformance::shell(dir.path(), "sleep 3600 & echo $!");
    let (outcome, lines) = conformance::execute(&LocalExecutor::new(), &step).await;
    assert_eq!(outcome.unwrap().exit, pipelines::Exit::Code(0));
    let process = format!("/proc/{}/stat", lines[0].text);
    runtime::testing::eventually(std::time::Duration::from_secs(30), || async {
        match std::fs::read_to_string(&process) {
            // A zombie is over; only who inherited it has not looked yet.
            Ok(stat) if !stat.contains(") Z ") => Err(format!("it is still there: {stat}")),
            Ok(_) | Err(_) => Ok(()),
        }
    })
    .await;
}
