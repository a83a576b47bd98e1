//! A small web server that can misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the server answers a request for a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Well,
    /// Sends as many bytes as this, then hangs up.
    Breaks(usize),
    /// Sends all from the start, whatever range was asked for.
    IgnoresRange,
    /// Promises as many bytes as this, and sends all.
    Promises(usize),
    /// Promises nothing and sends the file twice.
    Endless,
    Wrong,
    Status(u16),
    /// Says that the file is at `/moved/<name>`.
    Moved,
    /// Sends as many bytes as this and then nothing, without hanging up.
    Hangs(usize),
}

/// A web server on this machine. A file is answered in the ways planned for it, the last one for
/// ever.
pub struct Server {
    pub base: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    files: HashMap<String, Vec<u8>>,
    ways: HashMap<String, Vec<Way>>,
    /// Path and range of every request.
    log: Vec<(String, Option<String>)>,
}

impl Server {
    pub fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, data)| ((*name).to_owned(), data.clone())).collect();
        let shared = Arc::new(Mutex::new(Shared { files, ..Shared::default() }));
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { base, shared }
    }

    pub fn plan(&self, name: &str, ways: &[Way]) {
        self.shared.lock().unwrap().ways.insert(name.to_owned(), ways.to_vec());
    }

    /// The ranges that were asked for, of the requests for a file.
    pub fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let log = &self.shared.lock().unwrap().log;
        log.iter().filter(|(asked, _)| asked == path).map(|(_, range)| range.clone()).collect()
    }

    pub fn requests(&self) -> usize {
        self.shared.lock().unwrap().log.len()
    }
}

fn answer(stream: TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut range = None;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("range") {
            range = Some(value.trim().to_owned());
        }
    }
    let name = path.rsplit('/').next()?.to_owned();
    let (data, way) = {
        let mut shared = shared.lock().unwrap();
        shared.log.push((path.clone(), range.clone()));
        let ways = shared.ways.entry(name.clone()).or_default();
        let way = if ways.len() > 1 {
            ways.remove(0)
        } else {
            ways.first().copied().unwrap_or(Way::Well)
        };
        (shared.files.get(&name).cloned(), way)
    };
    let is_moved = path.starts_with("/moved/");
    let (data, way) = match data {
        Some(data) => (data, if is_moved { Way::Well } else { way }),
        None => (Vec::new(), Way::Status(404)),
    };
    send(stream, &name, data, way, range.as_deref());
    Some(())
}

fn send(mut stream: TcpStream, name: &str, data: Vec<u8>, way: Way, range: Option<&str>) {
    let start =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let start: usize = start.filter(|_| way != Way::IgnoresRange).unwrap_or(0);
    let total = data.len();
    let mut body = data[start.min(total)..].to_vec();
    let mut length = Some(body.len());
    let mut status = if start > 0 { "206 Partial Content" } else { "200 OK" }.to_owned();
    let mut extra = String::new();
    if start > 0 {
        extra = format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    match way {
        Way::Well | Way::IgnoresRange => {}
        Way::Breaks(after) | Way::Hangs(after) => body.truncate(after),
        Way::Promises(bytes) => length = Some(bytes),
        Way::Endless => {
            length = None;
            body.extend(data);
        }
        Way::Wrong => body.iter_mut().for_each(|byte| *byte ^= 1),
        Way::Status(code) => {
            (status, body, length) = (format!("{code} Whatever"), Vec::new(), Some(0));
        }
        Way::Moved => {
            (status, body, length) = ("302 Found".to_owned(), Vec::new(), Some(0));
            extra = format!("Location: /moved/{name}\r\n");
        }
    }
    let length = length.map(|bytes| format!("Content-Length: {bytes}\r\n")).unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\n{length}{extra}Connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
    let _ = stream.flush();
    if matches!(way, Way::Hangs(_)) {
        std::thread::sleep(Duration::from_secs(20));
    }
}
