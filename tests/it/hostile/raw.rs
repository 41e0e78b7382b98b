//! An upstream that answers whatever a test tells it to, byte by byte. It keeps to no protocol, least of all to HTTP's.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

/// What a flood is made of.
const FLOOD_BYTES: usize = 100 * 1024 * 1024;
/// Between two bytes that drip.
const DRIP: Duration = Duration::from_millis(200);
/// Longest head of a request, and longest body.
const ASKED_BYTES_MAX: u64 = 1024 * 1024;

/// A request that arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The path and the query.
    pub(crate) target: String,
    /// The body.
    pub(crate) body: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// A body under 200.
    Body(String),
    /// The same under another status, with further lines of a head.
    Under(u16, String, String),
    /// A hundred megabytes under 200: the first text, and then the second again and again.
    Flood(&'static str, &'static str),
    /// One byte after the other, as long as somebody listens.
    Drip,
}

type Script = dyn Fn(&Asked) -> Said + Send + Sync;

/// A listening upstream; it ends when it is dropped.
pub(crate) struct Raw {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Arc<Script>>,
    asked: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
}

impl Raw {
    /// Listens on a free port and answers by `script`.
    pub(crate) fn start(script: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Result<Self> {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = door.local_addr()?;
        let script: Arc<Script> = Arc::new(script);
        let (script, asked) = (Mutex::new(script), Mutex::default());
        let shared = Arc::new(Shared { script, asked, is_over: AtomicBool::new(false) });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in door.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever hangs up has heard enough.
                thread::spawn(move || shared.answer(stream).ok());
            }
        });
        Ok(Self { address, shared })
    }

    /// Answers by another script from now on.
    pub(crate) fn says(&self, script: impl Fn(&Asked) -> Said + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Its address: `http://ADDR` and `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests arrived of which that is true.
    pub(crate) fn count(&self, is_one: impl Fn(&Asked) -> bool) -> usize {
        lock(&self.shared.asked).iter().filter(|asked| is_one(asked)).count()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits at the door.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Takes one request and answers it; the connection ends with that.
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let asked = asked(&stream)?;
        lock(&self.asked).push(asked.clone());
        let script = Arc::clone(&lock(&self.script));
        match script(&asked) {
            Said::Body(body) => write_whole(&mut stream, 200, "", &body),
            Said::Under(status, lines, body) => write_whole(&mut stream, status, &lines, &body),
            Said::Flood(first, again) => {
                write_head(&mut stream, 200, "")?;
                stream.write_all(first.as_bytes())?;
                let block = again.repeat(64 * 1024 / again.len());
                for _ in 0..FLOOD_BYTES / block.len() {
                    stream.write_all(block.as_bytes())?;
                }
                Ok(())
            }
            Said::Drip => {
                write_head(&mut stream, 200, "")?;
                while !self.is_over.load(Ordering::Relaxed) {
                    stream.write_all(b" ")?;
                    thread::sleep(DRIP);
                }
                Ok(())
            }
        }
    }
}

/// Reads a request.
fn asked(stream: &TcpStream) -> Result<Asked> {
    let mut reader = BufReader::new(stream).take(ASKED_BYTES_MAX);
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
        head.push(std::mem::take(&mut line));
    }
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().to_owned())
    });
    let mut body = vec![0; length.map_or(Ok(0), |length| length.parse())?];
    reader.read_exact(&mut body)?;
    let target = head.first().and_then(|line| line.split(' ').nth(1)).context("no request")?;
    Ok(Asked { target: target.to_owned(), body: String::from_utf8(body)? })
}

fn write_whole(stream: &mut TcpStream, status: u16, lines: &str, body: &str) -> Result<()> {
    write_head(stream, status, &format!("content-length: {}\r\n{lines}", body.len()))?;
    Ok(stream.write_all(body.as_bytes())?)
}

fn write_head(stream: &mut TcpStream, status: u16, lines: &str) -> Result<()> {
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\nconnection: close\r\n{lines}\r\n");
    Ok(stream.write_all(head.as_bytes())?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
