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
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to localhost:5000"), @"
    exit 2
    Error: --to: expected an address such as http://127.0.0.1:5000, got another one
    Hint: write http:// before host and port
    ");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to https://localhost"), @"
    exit 2
    Error: --to: expected an address such as http://127.0.0.1:5000, got one with https
    Hint: TLS is not built in: let a tunnel or a proxy on this machine speak it (ssh -L 5000:localhost:5000 HOST)
    ");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to http://me:secret@localhost"), @"
    exit 2
    Error: --to: expected an address such as http://127.0.0.1:5000, got one with credentials
    Hint: they would go over the network unencrypted: leave them out
    ");
    assert_snapshot!(said(sandbox, "spectramind export mlflow run --to 'http://localhost/?x'"), @r#"
    exit 2
    Error: --to: expected an address such as http://127.0.0.1:5000, got "http://localhost/?x"
    Hint: write host and port, and a path where the server has one
    "#);
    assert_snapshot!(said(sandbox, "spectramind export mlflow nothing --to http://localhost"), @"
    exit 1
    Error: nothing: expected a signed run, with manifest.intoto.jsonl, got none
    Hint: name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume nothing
    ");
}

#[test]
fn answers() {
    let sandbox = trained();
    assert_snapshot!(said_of(sandbox, "500 Internal Server Error", "no database"), @"
    exit 1
    Error: the run was not exported; nothing of it is there yet
      caused by: http://[address]/api/2.0/mlflow/experiments/get-by-name: expected 200 OK, got 500: no database
    Hint: the same command again goes on from there
    ");
    assert_snapshot!(said_of(sandbox, "200 OK", "<html>"), @"
    exit 1
    Error: the run was not exported; nothing of it is there yet
      caused by: http://[address]/api/2.0/mlflow/experiments/get-by-name: expected JSON, got something else (expected value at line 1 column 1)
    Hint: the same command again goes on from there
    ");
    assert_snapshot!(said_of(sandbox, "200 OK", "{}"), @"
    exit 1
    Error: the run was not exported; nothing of it is there yet
      caused by: the server's answer: expected a text at /experiment/experiment_id, got none
    Hint: the same command again goes on from there
    ");
    assert_snapshot!(said_of(sandbox, "200 OK", r#"{"experiment": {"experiment_id": "1"}}"#), @"
    exit 1
    Error: the run was not exported; nothing of it is there yet
      caused by: http://[address]: expected a run, got none
    Hint: the same command again goes on from there
    ");
    let elsewhere =
        r#"{"experiment": {"experiment_id": "1"}, "run": {"info": {"run_id": "7", "artifact_uri": "s3://x"}}}"#;
    assert_snapshot!(said_of(sandbox, "200 OK", elsewhere), @"
    exit 1
    Error: the run was not exported; there: run 7, 140 parameters, 2 data digests, 29 of 29 figures
      caused by: manifest.intoto.jsonl: expected a server that takes artefacts itself (mlflow-artifacts:), got one that keeps them elsewhere
    Hint: start the server with --serve-artifacts and name a new --experiment
    ");
}
