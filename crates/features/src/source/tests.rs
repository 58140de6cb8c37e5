//! Files found and read, and every way in which they are not what they should be.

use std::fs;

use arrow::array::{Array as _, ArrayRef, DictionaryArray, Int64Array, LargeStringArray, TimestampMillisecondArray};
use arrow::datatypes::Int32Type;

use super::*;

fn spec(path: &str) -> SourceSpec {
    SourceSpec { name: "s".to_owned(), path: path.to_owned(), event_time: "t".to_owned(), created: None }
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    fs::write(path, crate::table::to_parquet(&batch).unwrap()).unwrap();
}

fn one(value: i64) -> Vec<(&'static str, ArrayRef)> {
    vec![("user_id", Arc::new(Int64Array::from(vec![value])))]
}

fn found(project: &Path, pattern: &str) -> Vec<String> {
    files(project, &spec(pattern)).unwrap().iter().map(|file| file.shown.to_string()).collect()
}

#[test]
fn patterns_find_files_in_the_order_of_their_paths() {
    let project = tempfile::tempdir().unwrap();
    for name in
        ["data/b/2.parquet", "data/a/1.parquet", "data/a/.tmp-3.parquet", "data/a/notes.txt", "data/c/d/4.parquet"]
    {
        write(&project.path().join(name), one(1));
    }
    assert_eq!(found(project.path(), "data/*/*.parquet"), ["data/a/1.parquet", "data/b/2.parquet"]);
    let all = ["data/a/1.parquet", "data/b/2.parquet", "data/c/d/4.parquet"];
    assert_eq!(found(project.path(), "data/**/*.parquet"), all);
    assert_eq!(found(project.path(), "./data/a/?.parquet"), ["data/a/1.parquet"]);
    let absolute = format!("file:{}/data/a/*.parquet", project.path().display());
    assert_eq!(found(project.path(), &absolute), ["data/a/1.parquet"]);
    let error = files(project.path(), &spec("data/e/*.parquet")).unwrap_err().to_string();
    assert_eq!(error, "source `s`: no file at `data/e/*.parquet`");
}

#[test]
fn paths_that_leave_the_project_are_refused_links_included() {
    let (project, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&outside.path().join("x.parquet"), one(1));
    std::os::unix::fs::symlink(outside.path(), project.path().join("link")).unwrap();
    for path in ["../x.parquet", "/etc/x.parquet", "a/../../x.parquet", "", "link/x.parquet", "file:../x.parquet"] {
        let refused = files(project.path(), &spec(path));
        assert!(matches!(refused, Err(Error::PathEscapes { .. })), "{path}: {refused:?}");
    }
}

#[test]
fn columns_come_in_the_order_asked_for_and_in_one_form() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join("a.parquet");
    let text: ArrayRef = Arc::new(LargeStringArray::from(vec![Some("x"), None]));
    let coded: DictionaryArray<Int32Type> = vec!["y", "y"].into_iter().collect();
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, 2]));
    write(
        &path,
        vec![("unused", Arc::new(Int64Array::from(vec![1, 2]))), ("s", text), ("d", Arc::new(coded)), ("t", time)],
    );
    let file = &files(project.path(), &spec("a.parquet")).unwrap()[0];
    let batch = read(file, &["t".to_owned(), "s".to_owned(), "d".to_owned()]).unwrap();
    let kinds: Vec<String> =
        batch.schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(kinds, ["t Timestamp(ms, \"UTC\")", "s Utf8", "d Utf8"]);
    assert!(batch.column(1).is_null(1));
}

#[test]
fn damaged_files_and_missing_columns_are_named() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join("a.parquet");
    write(&path, one(1));
    let file = files(project.path(), &spec("a.parquet")).unwrap().remove(0);
    let error = read(&file, &["user_idd".to_owned()]).unwrap_err().to_string();
    assert_eq!(error, "`a.parquet` has no column `user_idd`; did you mean `user_id`?");
    let whole = fs::read(&path).unwrap();
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read(&file, &["user_id".to_owned()]).unwrap_err();
        assert!(matches!(error, Error::Parquet { .. }), "{length} bytes: {error:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(read(&file, &["user_id".to_owned()]), Err(Error::File { .. })));
}

#[test]
fn fingerprints_change_when_a_file_does() {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join("a.parquet");
    write(&path, one(1));
    let first = files(project.path(), &spec("a.parquet")).unwrap();
    assert_eq!(files(project.path(), &spec("a.parquet")).unwrap(), first);
    write(&path, vec![("user_id", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef)]);
    assert_ne!(files(project.path(), &spec("a.parquet")).unwrap()[0].fingerprint, first[0].fingerprint);
}
