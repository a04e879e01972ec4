//! 1,000 objects of a namespace, 16 at once: by their names in a federation, and by the URLs of the cache that the director
//! names first. Prints the queries to the director and the requests to the cache, and the ratio of the times.
//!
//! ```sh
//! cargo bench -p scitoken-transfer --bench federation
//! ```

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use reqwest_scitokens::Session;
use scitoken_test_support::federation::{FakeFederation, FederationServer};
use scitoken_test_support::{Script, clients};
use scitoken_transfer::federation::Federation;
use scitoken_transfer::{Download, Downloader, TransferError};
use tokio::runtime::Builder;
use tokio::time::Instant;
use url::Url;

const OBJECTS: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let paths: Vec<String> = (0..OBJECTS).map(|n| format!("/public/d/{n}")).collect();
    let content = vec![7; 20 * 1024];
    let objects: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &content[..])).collect();
    let fake = runtime.block_on(FakeFederation::start(&objects));
    let cache = fake.server_url(FederationServer::Cache(0));
    let urls: Vec<Url> = paths.iter().map(|path| cache.join(path).expect("a URL")).collect();
    let names: Vec<Url> = paths.iter().map(|path| fake.name(path).parse().expect("a name")).collect();
    let mut ratios = Vec::new();
    let mut counts = (0, 0);
    for round in 0..=ROUNDS {
        let by_url = fetch(&urls);
        let before =
            (fake.seen(FederationServer::Director).len(), fake.seen(FederationServer::Cache(0)).len());
        let by_name = fetch(&names);
        counts = (
            fake.seen(FederationServer::Director).len() - before.0,
            fake.seen(FederationServer::Cache(0)).len() - before.1,
        );
        // The first round opens files and pages that the others find.
        if round > 0 {
            ratios.push(by_name.div_duration_f64(by_url));
        }
    }
    ratios.sort_by(f64::total_cmp);
    show(&format!(
        "{OBJECTS} objects, 16 at once: {} queries to the director, {} requests to the cache, {:.2}x the time of its URLs \
         (median of {ROUNDS} paired rounds, {:.2} to {:.2})",
        counts.0,
        counts.1,
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
    ));
}

fn session() -> Session {
    clients::session(Script::new(&["-"])).build().expect("a session")
}

/// Downloads all into a new directory, with a handle that remembers nothing, and returns the time.
fn fetch(urls: &[Url]) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let federation = Federation::new(session().http_client().clone()).with_token_source(Script::new(&["-"]));
    let downloader = Downloader::new(session().client().clone());
    let download = |(n, url): (usize, &Url)| {
        let target = Path::join(directory.path(), n.to_string());
        Download::new(url.clone(), target).expect("a download")
    };
    let make_client = || Ok::<_, TransferError>(session().client().clone());
    let begun = Instant::now();
    let at_once = NonZeroUsize::new(16).expect("more than none");
    federation
        .download_all(
            &downloader,
            urls.iter().enumerate().map(download),
            at_once,
            make_client,
            |_, result| {
                result.expect("the cache answers");
            },
        )
        .expect("the runs begin");
    begun.elapsed()
}

#[expect(clippy::print_stdout, reason = "the result")]
fn show(line: &str) {
    println!("{line}");
}
