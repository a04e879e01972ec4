//! 1,000 range reads of 64 KiB, 16 at once: `HttpStore` with plain reqwest and no token, with `ScitokenConnector`, and
//! `ScitokenStore`. Prints the CPU time of the client's thread; the server has a thread of its own.
//!
//! ```sh
//! cargo bench -p scitoken-object-store --bench ranges
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _};
use reqwest_scitokens::{AccessToken, Session};
use rustix::time::{ClockId, clock_gettime};
use scitoken_object_store::{ScitokenConnector, ScitokenStore};
use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply, Server};
use tokio::runtime::{Builder, Runtime};

const READS: u32 = 1_000;
const AT_ONCE: usize = 16;
const LENGTH: u64 = 64 * 1024;
const ROUNDS: usize = 41;

fn main() {
    let (server, _runtime) = serve();
    let url = format!("http://{}/d", server.address());
    let options = ClientOptions::new().with_allow_http(true);
    let plain = HttpBuilder::new().with_url(&url).with_client_options(options).build();
    let token = AccessToken::new("a-token").expect("a token");
    let session =
        Session::builder().source(token).http(reqwest::ClientBuilder::no_proxy).build().expect("a session");
    let connected =
        HttpBuilder::new().with_url(&url).with_http_connector(ScitokenConnector::from(&session)).build();
    let stores: [(&str, Arc<dyn ObjectStore>); 3] = [
        ("HttpStore, reqwest, no token", Arc::new(plain.expect("a store"))),
        ("HttpStore, ScitokenConnector", Arc::new(connected.expect("a store"))),
        ("ScitokenStore", Arc::new(ScitokenStore::open(&session, &url).expect("a store"))),
    ];
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..=ROUNDS {
        for ((_, store), times) in stores.iter().zip(&mut times) {
            let begun = cpu();
            runtime.block_on(read(store));
            times.push(cpu().saturating_sub(begun));
        }
    }
    for ((name, _), times_of_store) in stores.iter().zip(&times) {
        // The first round opens connections. A round is compared with itself: machines are noisy.
        let ratios =
            times_of_store.iter().zip(&times[0]).skip(1).map(|(time, first)| time.div_duration_f64(*first));
        let micros = times_of_store.iter().skip(1).map(|time| time.as_secs_f64() * 1e6 / f64::from(READS));
        show(&format!("{name:32} {:7.1} us of CPU a read  {:.3}x", median(micros), median(ratios)));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn read(store: &Arc<dyn ObjectStore>) {
    let path = Path::from("f");
    let ranges = (0..READS).map(|n| u64::from(n) * LENGTH..u64::from(n + 1) * LENGTH);
    let reads = futures_util::stream::iter(ranges).map(|range| store.get_range(&path, range));
    let mut reads = reads.buffer_unordered(AT_ONCE);
    while let Some(data) = reads.next().await {
        assert_eq!(data.expect("the server answers").len() as u64, LENGTH);
    }
}

/// Starts a server in a thread of its own.
fn serve() -> (Server, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let data = Bytes::from(vec![7; usize::try_from(LENGTH).expect("a length")]);
    let server = runtime.block_on(Place::http().start(move |seen| {
        let range = seen.header("range").expect("a range").trim_start_matches("bytes=");
        let content_range = format!("bytes {range}/{}", u64::from(READS) * LENGTH);
        Reply::new(206).header(http::header::CONTENT_RANGE, content_range).body(data.clone())
    }));
    (server, runtime)
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[expect(clippy::print_stdout, reason = "the result")]
fn show(line: &str) {
    println!("{line}");
}
