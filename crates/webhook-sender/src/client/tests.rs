//! Receivers on loopback, which only a sender that allows private addresses reaches; names mean what a test says.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect},
    routing::post,
};
use tokio::net::TcpListener;
use url::Url;

use super::*;

/// A receiver: how many connections it had, and what it was sent.
#[derive(Clone, Default)]
struct Receiver {
    connections: Arc<AtomicUsize>,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepts = |State(receiver): State<Self>, headers: HeaderMap, body: String| async move {
            receiver.got.lock().unwrap().push((headers, body));
            "thanks"
        };
        let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], "x".repeat(100_000)) };
        let target = format!("http://{address}/in");
        let elsewhere = move || async move { Redirect::temporary(&target).into_response() };
        let found = || async { (StatusCode::FOUND, [(header::LOCATION, "/in")]) };
        let router = Router::new()
            .route("/in", post(accepts))
            .route("/busy", post(busy))
            .route("/moved", post(elsewhere))
            .route("/found", post(found))
            .route("/file", post(|| async { Redirect::temporary("file:///etc/passwd") }))
            .with_state(self.clone());
        let connections = Arc::clone(&self.connections);
        let listener = axum::serve::ListenerExt::tap_io(listener, move |_| {
            connections.fetch_add(1, Ordering::SeqCst);
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

fn config(allow_private: bool) -> Config {
    let allowed_schemes = ["http", "https"].map(str::to_owned).to_vec();
    Config { timeout: Duration::from_secs(30), allow_private, allowed_schemes }
}

/// A sender to which names mean what `lookup` says, one answer after the other, the last one for ever.
fn sender(allow_private: bool, answers: Vec<Vec<IpAddr>>) -> HttpSender {
    let asked = AtomicUsize::new(0);
    let lookup = move |_: String| {
        let answer = &answers[asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
        let answer: io::Result<Vec<IpAddr>> = Ok(answer.clone());
        Box::pin(async move { answer }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
    };
    let config = config(allow_private);
    let guard = Guard::new(allow_private, &config.allowed_schemes).with_lookup(Arc::new(lookup));
    HttpSender::guarded(&config, guard).unwrap()
}

fn request(url: &str) -> Request {
    let headers = vec![("X-MLflow-Delivery-Id", "1".to_owned())];
    Request { url: Url::parse(url).unwrap(), headers, body: "{}".to_owned() }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

fn is_refused(outcome: &Result<Response, Failure>) -> bool {
    matches!(outcome, Err(Failure::Refused(why)) if why.contains("non-public IP address"))
}

#[tokio::test]
async fn a_message_arrives_with_its_headers_and_the_answer_comes_back() {
    let receiver = Receiver::default();
    let at = receiver.start().await;
    let sender = sender(true, vec![vec![LOOPBACK]]);
    let answer = sender.send(&request(&format!("http://receiver.test:{}/in", at.port()))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str(), answer.retry_after), (200, "thanks", None));
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!((got.len(), got[0].1.as_str()), (1, "{}"));
    assert_eq!(
        (&got[0].0["x-mlflow-delivery-id"], &got[0].0["content-type"]),
        (&"1".parse().unwrap(), &"application/json".parse().unwrap())
    );

    let busy = sender.send(&request(&format!("http://{at}/busy"))).await.unwrap();
    assert_eq!((busy.status, busy.retry_after), (429, Some(Duration::from_secs(7))));
    assert_eq!(busy.body.len(), LONGEST_ANSWER, "a long answer is cut");
}

#[tokio::test]
async fn private_addresses_are_never_connected_to_by_number_or_name() {
    let receiver = Receiver::default();
    let at = receiver.start().await;
    let system = HttpSender::new(&config(false)).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST"] {
        let request = request(&format!("http://{host}:{}/in", at.port()));
        let outcome = system.send(&request).await;
        assert!(is_refused(&outcome), "{host}: {outcome:?}");
        let told = system.check(request.url.host().unwrap()).await.unwrap_err();
        assert!(told.starts_with("Webhook URL must not resolve to a non-public IP address. '"), "{told}");
    }
    // Some resolvers do not know this one; whether they do or not, nothing is connected to.
    let rooted = system.send(&request(&format!("http://LOCALHOST.:{}/in", at.port()))).await;
    assert!(rooted.is_err(), "{rooted:?}");
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_means_something_else_by_the_time_of_the_connection_leads_nowhere() {
    let receiver = Receiver::default();
    let at = receiver.start().await;
    let rebinding = sender(false, vec![vec![PUBLIC], vec![LOOPBACK]]);
    rebinding.check(Host::Domain("rebinds.test")).await.unwrap();
    let outcome = rebinding.send(&request(&format!("http://rebinds.test:{}/in", at.port()))).await;
    assert!(is_refused(&outcome), "{outcome:?}");
    // One bad address among good ones is enough: which one is taken is not ours to say.
    let mixed = sender(false, vec![vec![PUBLIC, LOOPBACK]]);
    assert!(is_refused(&mixed.send(&request(&format!("http://mixed.test:{}/in", at.port()))).await));
    assert_eq!(receiver.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn redirects_are_followed_with_the_message_and_under_the_same_rules() {
    let receiver = Receiver::default();
    let at = receiver.start().await;
    let sender = sender(true, vec![vec![LOOPBACK]]);
    assert_eq!(sender.send(&request(&format!("http://{at}/moved"))).await.unwrap().status, 200);
    assert_eq!(receiver.got.lock().unwrap().len(), 1);
    assert_eq!(
        sender.send(&request(&format!("http://{at}/found"))).await.unwrap().status,
        302,
        "it would lose the body"
    );
    let outcome = sender.send(&request(&format!("http://{at}/file"))).await;
    assert!(matches!(outcome, Err(Failure::Refused(_))), "{outcome:?}");

    let guard = Guard::new(false, &config(false).allowed_schemes);
    for inside in ["http://169.254.169.254/latest", "http://[::1]/", "http://127.1/"] {
        assert!(guard.check(&Url::parse(inside).unwrap()).is_err(), "{inside}");
    }
}

#[tokio::test]
async fn what_may_pass_is_a_failure_and_no_refusal() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sender = sender(true, vec![vec![LOOPBACK]]);
    let outcome = sender.send(&request(&format!("http://{gone}/"))).await;
    assert!(matches!(&outcome, Err(Failure::Failed(why)) if why.contains("refused")), "{outcome:?}");
    let nameless = super::HttpSender::new(&config(false)).unwrap();
    let told = nameless.check(Host::Domain("no-such-name.invalid")).await.unwrap_err();
    assert!(told.starts_with("Cannot resolve Webhook URL hostname 'no-such-name.invalid': "), "{told}");
    let outcome = nameless.send(&request("http://no-such-name.invalid/")).await;
    assert!(matches!(outcome, Err(Failure::Failed(_))), "a name may come back: {outcome:?}");
}
