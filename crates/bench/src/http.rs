//! HTTP/1.1 as far as both ends of a benchmark need it: kept-alive connections and bodies of a stated length.

use std::{io, net::SocketAddr};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How a success begins.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 ";

/// Room for most answers; it grows for larger ones.
const BUFFER_BYTES: usize = 65_536;

/// A form sent to the panel API.
pub(crate) fn post(form: &str) -> Vec<u8> {
    format!(
        "POST /api/v2 HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// A request or an answer.
pub(crate) struct Message<'a> {
    /// From the first line to the empty one.
    pub(crate) head: &'a [u8],
    /// What follows.
    pub(crate) body: &'a [u8],
}

/// The messages that come in on one connection.
pub(crate) struct Messages {
    buffer: Vec<u8>,
    filled: usize,
    /// Where the message ends that was handed out last.
    end: usize,
}

impl Messages {
    /// None has come in yet.
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], filled: 0, end: 0 }
    }

    /// The next message; none if the other side closed the connection after the last one.
    pub(crate) async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Message<'_>>> {
        self.buffer.copy_within(self.end..self.filled, 0);
        self.filled -= self.end;
        self.end = 0;
        let (head, end) = loop {
            if let Some((head, end)) = framed(&self.buffer[..self.filled])?
                && end <= self.filled
            {
                break (head, end);
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let read = stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 && self.filled == 0 {
                return Ok(None);
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.filled += read;
        };
        self.end = end;
        Ok(Some(Message { head: &self.buffer[..head], body: &self.buffer[head..end] }))
    }
}

/// Sends one request on a connection of its own; the body of the answer, which must be a success.
pub(crate) async fn ask(to: SocketAddr, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(to).await.with_context(|| to.to_string())?;
    stream.write_all(request).await?;
    let mut messages = Messages::new();
    let answer = messages.next(&mut stream).await?.context("the connection was closed without an answer")?;
    let body = String::from_utf8_lossy(answer.body).into_owned();
    ensure!(answer.head.starts_with(OK), "{}{body}", String::from_utf8_lossy(answer.head));
    Ok(body)
}

/// Where the head and the whole message end, once the head is there.
fn framed(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(blank) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let length = bytes[..blank].split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        if !name.eq_ignore_ascii_case(b"content-length") {
            return None;
        }
        str::from_utf8(&value[1..]).ok()?.trim().parse::<usize>().ok()
    });
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message without its length"))?;
    let head = blank + 4;
    Ok(Some((head, head + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_by_its_stated_length() {
        let request = post("key=k&action=balance");
        let (head, end) = framed(&request).unwrap().unwrap();
        assert_eq!((&request[head..], end), (b"key=k&action=balance".as_slice(), request.len()));
        assert_eq!(framed(&request[..head - 1]).unwrap(), None);
        assert_eq!(framed(b"HTTP/1.1 200 OK\r\nContent-Length:  2\r\n\r\n").unwrap(), Some((39, 41)));
    }

    #[test]
    fn a_message_without_its_length_is_an_error() {
        framed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap_err();
    }
}
