//! What a test in the program cannot wait for: servers that fall silent.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use sha2::{Digest, Sha256};

use super::*;

const DATA: &[u8] = b"all that is to be had";

/// Sends each connection one of `answers` and then nothing more, holding it open.
fn server(answers: &'static [&'static str]) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let _ = tell.send(String::from_utf8_lossy(&request[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
            held.push(stream);
        }
        std::thread::sleep(Duration::from_secs(30));
    });
    (address, told)
}

fn client() -> Client {
    let short = Duration::from_millis(200);
    let pauses = vec![Duration::from_millis(1); 2];
    let patience = Patience { connect: short, idle: short, pauses };
    let client = Client::new(None, patience).unwrap();
    let config = Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .timeout_recv_response(Some(short))
        .timeout_per_read(Some(short));
    Client { agent: config.build().new_agent(), ..client }
}

fn remote(address: SocketAddr) -> Remote {
    Remote {
        addresses: vec![format!("http://{address}/data.bin")],
        size: DATA.len() as u64,
        sha256: crate::hex(&Sha256::digest(DATA)),
    }
}

#[test]
fn a_server_that_falls_silent_is_left_and_asked_for_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (address, told) = server(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nall that ",
        "HTTP/1.1 206 Part\r\nContent-Length: 12\r\nContent-Range: bytes 9-20/21\r\n\r\nis to be had",
    ]);
    let path = folder.path().join("data.bin");
    client().get("set", &remote(address), &path, &mut |_| {}).unwrap();
    assert_eq!(files::read(&path).unwrap(), DATA);
    assert!(!told.recv().unwrap().to_lowercase().contains("range:"));
    assert!(told.recv().unwrap().to_lowercase().contains("range: bytes=9-"));
}

#[test]
fn a_server_that_never_answers_is_given_up_and_what_came_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _told) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nall", "", ""]);
    let path = folder.path().join("data.bin");
    let error = client().get("set", &remote(address), &path, &mut |_| {}).unwrap_err();
    assert_eq!(error.fault, Fault::Environment);
    assert!(error.cause.unwrap().contains("does not answer"));
    assert!(error.hint.unwrap().starts_with("3 bytes of it are kept"));
    assert!(!path.exists());
}

#[test]
fn a_part_of_another_range_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _told) = server(&[
        "HTTP/1.1 206 Part\r\nContent-Length: 21\r\nContent-Range: bytes 0-20/21\r\n\r\nall that is to be had",
    ]);
    let path = folder.path().join("data.bin");
    files::replace(&folder.path().join("data.bin.part"), b"all").unwrap();
    let error = client().get("set", &remote(address), &path, &mut |_| {}).unwrap_err();
    assert!(error.cause.unwrap().contains("bytes 0-20/21"));
}
