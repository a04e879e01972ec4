//! The far end of a link with delay: each packet of the interface that is standard input comes back after so many
//! microseconds, its two addresses exchanged. benches/download/link.py makes the interface and tells the rest.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LONGEST: usize = 9100;

fn main() -> io::Result<()> {
    let delay = std::env::args().nth(1).and_then(|text| text.parse().ok()).map(Duration::from_micros);
    let delay = delay.ok_or_else(|| io::Error::other("usage: link MICROSECONDS"))?;
    let mut from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut to = from.try_clone()?;
    let (queue, waiting) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        for (due, packet) in waiting {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // A packet that finds the queue full is lost, as on any link.
            let _ = to.write(&packet);
        }
    });
    loop {
        let mut packet = vec![0; LONGEST];
        let length = from.read(&mut packet)?;
        packet.truncate(length);
        if packet.len() >= 20 && packet[0] >> 4 == 4 {
            // Both are in the sums, which stay right.
            let (source, destination) = packet[12..20].split_at_mut(4);
            source.swap_with_slice(destination);
            let _ = queue.send((Instant::now() + delay, packet));
        }
    }
}
