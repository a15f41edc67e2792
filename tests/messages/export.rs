//! What is said about a server that a run is exported to, and that does not answer as MLflow does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use insta::assert_snapshot;

use super::said;
use crate::sandbox::{Sandbox, trained};

/// What a server that gives everybody the same answer makes the export say.
fn said_of(sandbox: &Sandbox, status: &'static str, body: &'static str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    std::thread::spawn(move || socket.incoming().flatten().for_each(|client| answer(client, status, body)));
    said(sandbox, &format!("spectramind export mlflow run --to http://{address}")).replace(&address, "[address]")
}

/// Reads one request, whole, and answers it.
fn answer(client: TcpStream, status: &str, body: &str) {
    let mut reader = BufReader::new(&client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    // Its sender must not find the connection closed before it has written all.
    let _ = std::io::copy(&mut reader.take(length), &mut std::io::sink());
    let _ = write!(&client, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
}

#[test]
fn addresses() {
    let sandbox = trained();
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to localhost:5000"), @"");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to https://localhost"), @"");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to http://me:secret@localhost"), @"");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to 'http://localhost/?x'"), @"");
    assert_snapshot!(said(sandbox, "spectramind export mlflow nothing --to http://localhost"), @"");
}

#[test]
fn answers() {
    let sandbox = trained();
    assert_snapshot!(said_of(sandbox, "500 Internal Server Error", "no database"), @"");
    assert_snapshot!(said_of(sandbox, "200 OK", "<html>"), @"");
    assert_snapshot!(said_of(sandbox, "200 OK", "{}"), @"");
    assert_snapshot!(said_of(sandbox, "200 OK", r#"{"experiment": {"experiment_id": "1"}}"#), @"");
    let elsewhere =
        r#"{"experiment": {"experiment_id": "1"}, "run": {"info": {"run_id": "7", "artifact_uri": "s3://x"}}}"#;
    assert_snapshot!(said_of(sandbox, "200 OK", elsewhere), @"");
}
