//! A server that answers as Gafaelfawr's API does, and records its requests.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;

pub type CannedResponse = (u16, &'static [(&'static str, &'static str)], &'static str);

/// A server with one answer, or one for each path, and the requests that it saw: method, path and body.
#[derive(Clone, Debug)]
pub struct GafaelfawrServer {
    seen: Arc<Mutex<Vec<String>>>,
    answers: Vec<(&'static str, CannedResponse)>,
    pub url: url::Url,
}

impl GafaelfawrServer {
    pub async fn answering(answer: CannedResponse) -> Self {
        Self::answering_at(&[("", answer)]).await
    }

    /// Answers where the path ends so.
    pub async fn answering_at(answers: &[(&'static str, CannedResponse)]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = Self { seen: Arc::default(), answers: answers.to_vec(), url };
        let app = Router::new().fallback(reply).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn reply(State(server): State<GafaelfawrServer>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let line = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    server.seen.lock().unwrap().push(line.trim_end().to_owned());
    let answer = server.answers.iter().find(|(path, _)| head.uri.path().ends_with(path));
    let (status, headers, body) = answer.map_or((404, [].as_slice(), ""), |(_, answer)| *answer);
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

pub const INFO: &str = r#"{"token": "MLF5MB3Peg79wEC0BY8U8Q", "username": "someuser", "token_type": "user",
    "scopes": ["read:all", "user:token"], "created": 1614986130, "expires": 1616986130,
    "token_name": "laptop token", "from_a_newer_server": true}"#;
