//! The limit that downloads are measured against: one request, then nothing but `recv` of 256 KiB and `write`.
//!
//! `rustc -O limit.rs && ./limit 127.0.0.1:8080 /path FILE`

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;

const BUFFER: usize = 256 * 1024;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, path, target] = &arguments[..] else {
        return Err(io::Error::other("usage: limit ADDRESS PATH FILE"));
    };
    let mut server = TcpStream::connect(address)?;
    write!(server, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut file = File::create(target)?;
    let mut buffer = vec![0; BUFFER];
    let mut held = 0;
    let body = loop {
        let got = server.read(&mut buffer[held..])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        held += got;
        if let Some(end) = buffer[..held].windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    if !buffer.starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(String::from_utf8_lossy(&buffer[..body]).into_owned()));
    }
    file.write_all(&buffer[body..held])?;
    loop {
        let got = server.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..got])?;
    }
}
