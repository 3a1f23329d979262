//! Answers `GET` of one path with a text: metrics of daemons that carry no HTTP server.

use super::{
    clock,
    listener::{Listener, Stream},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

/// A scraper that says nothing is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
const HEAD_LIMIT: usize = 8 << 10;
const CONNECTIONS: usize = 8;

/// Serves until `shutdown`. Each connection gets one answer.
pub async fn serve(
    listener: Listener,
    path: &'static str,
    content_type: &'static str,
    text: impl Fn() -> String + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let (text, slots) = (Arc::new(text), Arc::new(Semaphore::new(CONNECTIONS)));
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, mostly: they come back.
            clock::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let text = text.clone();
        tokio::spawn(async move {
            let _ = clock::timeout(PATIENCE, answer(stream, path, content_type, &*text)).await;
            drop(slot);
        });
    }
}

async fn answer(
    mut stream: Stream,
    path: &str,
    content_type: &str,
    text: &(impl Fn() -> String + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > HEAD_LIMIT || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let mut words = line.split(|octet| *octet == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let target = target.split(|octet| *octet == b'?').next().unwrap_or_default();
    let (status, body) = match (method, target == path.as_bytes()) {
        (b"GET", true) => ("200 OK", text()),
        (b"GET", false) => ("404 Not Found", format!("only {path} is here\n")),
        _ => ("405 Method Not Allowed", "only GET\n".to_string()),
    };
    let content_type = if status == "200 OK" { content_type } else { "text/plain" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &str) -> String {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_address().unwrap();
        let server = serve(listener, "/metrics", "text/x", || "answer".to_string(), std::future::pending());
        let client = async {
            let mut stream = Stream::connect(&address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::select! {
            () = server => unreachable!("it serves until shutdown"),
            answer = client => answer,
        }
    }

    #[tokio::test]
    async fn answers_get_of_its_path_and_nothing_else() {
        let answer = ask("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nanswer"), "{answer}");
        assert!(ask("GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask("POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
    }
}
