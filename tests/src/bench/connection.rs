//! One HTTP/1.1 connection of the load generator. What is measured shares the machine with it, so it does no more than
//! has to be done: one write, one read, and as much of the answer understood as tells where it ends.

use std::iter::once;
use std::ops::Range;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::load::Request;

/// Headers of an answer; OnePool sends about ten.
const MAX_HEADERS: usize = 64;
/// Room for one read: an answer with its head fits in.
const READ_BYTES: usize = 16 << 10;

/// A connection that is kept between requests. Its two buffers are kept with it.
#[derive(Debug)]
pub struct Connection {
    host: String,
    stream: TcpStream,
    asked: Vec<u8>,
    answered: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { host: host.to_owned(), stream, asked: Vec::new(), answered: Vec::with_capacity(READ_BYTES) })
    }

    /// Whether it leads to this host.
    pub fn leads_to(&self, host: &str) -> bool {
        self.host == host
    }

    /// Sends a request and reads its answer whole. A connection that failed must not be used again.
    pub async fn send(&mut self, request: &Request, authorization: &str) -> anyhow::Result<Answer<'_>> {
        let (_, path) = address(&request.url)?;
        self.write(request, path, authorization);
        self.stream.write_all(&self.asked).await?;
        self.answered.clear();
        loop {
            self.answered.reserve(READ_BYTES);
            let ended = self.stream.read_buf(&mut self.answered).await? == 0;
            if let Some(read) = read(&self.answered, ended)? {
                return Ok(Answer {
                    status: read.status,
                    keeps: read.keeps && !ended,
                    body: read.body(&self.answered),
                });
            }
            if ended {
                bail!("the connection was closed in the middle of an answer");
            }
        }
    }

    fn write(&mut self, request: &Request, path: &str, authorization: &str) {
        let (method, length) = (request.method.as_str(), request.body.len().to_string());
        let head = [method, " ", path, " HTTP/1.1\r\nhost: ", &self.host, "\r\nauthorization: ", authorization];
        let body = ["\r\ncontent-type: application/json\r\ncontent-length: ", &length, "\r\n\r\n", &request.body];
        let body = if request.body.is_empty() { &["\r\n\r\n"][..] } else { &body };
        self.asked.clear();
        head.iter().chain(body).for_each(|piece| self.asked.extend_from_slice(piece.as_bytes()));
    }
}

/// An answer that has arrived whole.
#[derive(Debug)]
pub struct Answer<'c> {
    /// The HTTP status.
    pub status: u16,
    /// Whether the connection may be used again.
    pub keeps: bool,
    /// The body.
    pub body: Body<'c>,
}

/// A body as it lies in the buffer: in one piece, or in the pieces it was sent in.
#[derive(Debug)]
pub struct Body<'c> {
    bytes: &'c [u8],
    pieces: Vec<Range<usize>>,
}

impl Body<'_> {
    /// The body in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| &self.bytes[piece.clone()]).copied().collect()
    }
}

/// The host, with its port, and the path of `http://host:port/path`.
pub fn address(url: &str) -> anyhow::Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no http URL"))?;
    Ok(rest.split_at(rest.find('/').with_context(|| format!("{url} has no path"))?))
}

/// What a buffer holds once it holds a whole answer.
struct Read {
    status: u16,
    keeps: bool,
    pieces: Vec<Range<usize>>,
}

impl Read {
    fn body<'c>(self, bytes: &'c [u8]) -> Body<'c> {
        Body { bytes, pieces: self.pieces }
    }
}

/// How the end of a body is told (RFC 9112, section 6.3).
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

/// Understands an answer, of which nothing more comes when the connection `ended`; none while there is more to come.
fn read(bytes: &[u8], ended: bool) -> anyhow::Result<Option<Read>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.context("an answer has a status")?;
    if status < 200 {
        bail!("an interim answer, which was not asked for");
    }
    let mut framing = if matches!(status, 204 | 304) { Framing::Length(0) } else { Framing::UntilClosed };
    let mut keeps = head.version == Some(1);
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") && matches!(framing, Framing::UntilClosed) {
            framing = Framing::Length(std::str::from_utf8(header.value)?.trim().parse()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            keeps = !header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let whole = match framing {
        Framing::Length(length) => {
            let end = start.checked_add(length).context("a body of such a length")?;
            (bytes.len() >= end).then(|| (once(start..end).collect(), end))
        }
        Framing::Chunked => chunks(bytes, start)?,
        Framing::UntilClosed => {
            keeps = false;
            ended.then(|| (once(start..bytes.len()).collect(), bytes.len()))
        }
    };
    let Some((pieces, end)) = whole else { return Ok(None) };
    if bytes.len() > end {
        bail!("more was answered than was asked");
    }
    Ok(Some(Read { status, keeps, pieces }))
}

/// The pieces of a chunked body and where it ends; none while the last one is missing.
fn chunks(bytes: &[u8], start: usize) -> anyhow::Result<Option<(Vec<Range<usize>>, usize)>> {
    let (mut at, mut pieces) = (start, Vec::new());
    loop {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let parsed = httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("a chunk without a size"))?;
        let httparse::Status::Complete((line, size)) = parsed else { return Ok(None) };
        at += line;
        if size == 0 {
            // No trailers are sent: the empty line alone ends the body.
            return Ok(bytes.get(at..at + 2).map(|_| (pieces, at + 2)));
        }
        let end = at.checked_add(usize::try_from(size)?).context("a chunk of such a size")?;
        pieces.push(at..end);
        at = end.saturating_add(2);
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    const PLAIN: &str = "HTTP/1.1 201 Created\r\ncontent-length: 4\r\netag: \"1\"\r\n\r\nbody";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfir\r\nA;x=y\r\nst second!\r\n0\r\n\r\n";

    fn whole(text: &str, ended: bool) -> Option<(u16, bool, String)> {
        let read = read(text.as_bytes(), ended).expect("an answer")?;
        let (status, keeps) = (read.status, read.keeps);
        Some((status, keeps, String::from_utf8(read.body(text.as_bytes()).to_vec()).expect("a text")))
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_no_sooner() {
        for (text, status, body) in [(PLAIN, 201, "body"), (CHUNKED, 200, "first second!")] {
            for end in 0..text.len() {
                assert_eq!(whole(&text[..end], false), None, "{}", &text[..end]);
            }
            assert_eq!(whole(text, false), Some((status, true, body.to_owned())));
        }
    }

    #[test]
    fn a_connection_is_kept_unless_it_says_otherwise() {
        let closing = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(whole(closing, false), Some((200, false, String::new())));
        assert_eq!(whole("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false), Some((200, false, String::new())));
        assert_eq!(whole("HTTP/1.1 204 No Content\r\n\r\n", false), Some((204, true, String::new())));
        let unbounded = "HTTP/1.1 200 OK\r\n\r\nall of it";
        assert_eq!(whole(unbounded, false), None);
        assert_eq!(whole(unbounded, true), Some((200, false, "all of it".to_owned())));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(read(b"SMTP ready\r\n\r\n", false).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", false).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", false).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", false).is_err());
    }

    #[test]
    fn an_address_is_a_host_and_a_path() {
        assert_eq!(address("http://127.0.0.1:8080/v1/stock?sku=A").unwrap(), ("127.0.0.1:8080", "/v1/stock?sku=A"));
        assert!(address("https://127.0.0.1/").is_err() && address("http://127.0.0.1").is_err());
    }

    /// A server that answers each request with the next of these, in pieces, and closes.
    async fn serve(answers: Vec<Vec<&'static str>>) -> (String, JoinSet<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut heard = Vec::new();
            for pieces in answers {
                let mut request = vec![0; 4_096];
                let length = stream.read(&mut request).await.expect("a request");
                heard.push(String::from_utf8_lossy(&request[..length]).into_owned());
                for piece in pieces {
                    stream.write_all(piece.as_bytes()).await.expect("the client reads");
                    stream.flush().await.expect("the client reads");
                    tokio::task::yield_now().await;
                }
            }
            heard
        });
        (host, task)
    }

    #[tokio::test]
    async fn requests_follow_one_another_over_a_connection() {
        let (host, server) =
            serve(vec![vec!["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 5\r\n\r\nhe", "llo"], vec![PLAIN]]).await;
        let mut connection = Connection::open(&host).await.expect("a connection");
        let read = Request { method: Method::GET, url: format!("http://{host}/v1/a?b=c"), body: String::new() };
        let answer = connection.send(&read, "Bearer t").await.expect("an answer");
        assert_eq!((answer.status, answer.keeps, answer.body.to_vec()), (200, true, b"hello".to_vec()));
        let write = Request { method: Method::POST, url: format!("http://{host}/v1/d"), body: "{}".to_owned() };
        assert_eq!(connection.send(&write, "Bearer t").await.expect("an answer").body.to_vec(), b"body");
        assert!(connection.send(&write, "Bearer t").await.is_err(), "the server has gone");
        let heard = server.join_all().await.remove(0);
        let both = format!("HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer t\r\n");
        assert_eq!(heard[0], format!("GET /v1/a?b=c {both}\r\n"));
        let written = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(heard[1], format!("POST /v1/d {both}{written}"));
    }
}
