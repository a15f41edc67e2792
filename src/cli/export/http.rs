//! Requests to one server, in JSON: plain HTTP, no redirects, and no answer is waited for longer than a minute.

use std::time::Duration;

use serde_json::Value;
use ureq::{Agent, Body, http};

use crate::failure::{Failure, Result};
use crate::verify::text::shown;

/// An answer is waited for so long.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A connection is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// Most of a text of the server's that is shown.
const MAX_SHOWN: usize = 300;

/// A server.
pub struct Server {
    agent: Agent,
    url: String,
}

/// What a server answered.
pub struct Answer {
    status: u16,
    body: Vec<u8>,
    what: String,
}

impl Server {
    /// By its address, which has no secrets in it.
    ///
    /// # Errors
    /// A usage failure, which does not show what may be a password.
    pub fn at(url: &str) -> Result<Self> {
        let refuse = |got: &str, hint: &str| {
            Err(Failure::usage(format!("--to: expected an address such as http://127.0.0.1:5000, got {got}"), hint))
        };
        let Some(rest) = url.strip_prefix("http://") else {
            let hint = "TLS is not built in: let a tunnel or a proxy on this machine speak it (ssh -L 5000:localhost:5000 HOST)";
            return match url.starts_with("https://") {
                true => refuse("one with https", hint),
                false => refuse("another one", "write http:// before host and port"),
            };
        };
        if rest.contains('@') {
            return refuse("one with credentials", "they would go over the network unencrypted: leave them out");
        }
        if rest.contains(['?', '#']) || rest.trim_matches('/').is_empty() {
            return refuse(&format!("{url:?}"), "write host and port, and a path where the server has one");
        }
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self { agent: config.into(), url: url.trim_end_matches('/').to_owned() })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for something, by one field of a query.
    pub fn get(&self, path: &str, name: &str, value: &str) -> Result<Answer> {
        self.answer(path, self.agent.get(self.at_path(path)).query(name, value).call())
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.agent.post(self.at_path(path)).header("content-type", "application/json");
        self.answer(path, request.send(body.to_string().as_bytes()))
    }

    /// Puts a file.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<Answer> {
        let request = self.agent.put(self.at_path(path)).header("content-type", "application/octet-stream");
        self.answer(path, request.send(bytes))
    }

    fn at_path(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    fn answer(&self, path: &str, sent: Result<http::Response<Body>, ureq::Error>) -> Result<Answer> {
        let what = self.at_path(path);
        let failed = |error: ureq::Error| Failure::new(format!("{what}: {error}"));
        let mut response = sent.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().map_err(failed)?;
        Ok(Answer { status, body, what })
    }
}

impl Answer {
    /// The JSON of an answer that is a yes.
    ///
    /// # Errors
    /// Of any other, with what the server said.
    pub fn json(self) -> Result<Value> {
        let Self { body, what, .. } = self.yes()?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::new(format!("{what}: expected JSON, got something else ({error})")))
    }

    /// An answer that is a yes.
    ///
    /// # Errors
    /// As there.
    pub fn yes(self) -> Result<Self> {
        if self.status == 200 {
            return Ok(self);
        }
        let said: String = String::from_utf8_lossy(&self.body).chars().take(MAX_SHOWN).collect();
        Err(Failure::new(format!("{}: expected 200 OK, got {}: {}", self.what, self.status, shown(&said))))
    }

    /// The same; `None` when the server has no such thing.
    ///
    /// # Errors
    /// As there.
    pub fn found(self) -> Result<Option<Value>> {
        if self.status == 404 { Ok(None) } else { self.json().map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        for url in ["http://me:secret@host", "https://me:secret@host", "me:secret@host", "ftp://secret"] {
            let Err(failure) = Server::at(url) else { panic!("{url} is taken") };
            let told = format!("{failure}{:?}", failure.hint());
            assert!(!told.contains("secret"), "{told}");
        }
        for url in ["http://", "http:///", "http://host?x=1"] {
            assert!(Server::at(url).is_err(), "{url} is taken");
        }
        assert_eq!(Server::at("http://127.0.0.1:5000/").expect("an address").url(), "http://127.0.0.1:5000");
    }
}
