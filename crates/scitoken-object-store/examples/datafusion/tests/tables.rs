//! `DataFusion` over tables on servers that require tokens: what it reads, lists and writes, beside the same files in a
//! local directory.

#[path = "../../../tests/it/support.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::Result;
use datafusion::parquet::file::reader::FileReader as _;
use datafusion::parquet::file::serialized_reader::SerializedFileReader;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use reqwest_scitokens::{FileSource, Session};
use scitoken_object_store::{DataFusionStore, ScitokenStore};
use scitoken_test_support::federation::{FakeFederation, FederationServer, ISSUER};
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Script, XRootD, clients, tokens};
use support::{Counter, Storage};
use url::Url;

const ROWS: u64 = 400_000;
const ROW_GROUPS: u64 = 4;
/// Queries of whole tables, of columns, and of a part of the row groups.
const QUERIES: [&str; 4] = [
    "SELECT count(*), min(id), max(id), sum(id), max(energy), min(angle) FROM t",
    "SELECT detector, count(*), max(energy) FROM t GROUP BY detector ORDER BY detector",
    "SELECT * FROM t WHERE id BETWEEN 123456 AND 123466 ORDER BY id",
    "SELECT a.id, b.energy FROM t a JOIN t b ON a.id = b.id + 1 WHERE a.id < 20 ORDER BY a.id",
];

/// Returns a file whose rows are numbered from `first`; the values hardly compress.
async fn table(first: u64) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("t.parquet");
    let copy = format!(
        "COPY (SELECT value AS id, value * 2654435761 % 1000003 / 7.0 AS energy,
            value * 40503 % 65537 / 3.0 AS angle, 'd' || cast(value % 9 AS varchar) AS detector
            FROM generate_series({first}, {}))
         TO '{}' STORED AS PARQUET OPTIONS ('format.max_row_group_size' '{}')",
        first + ROWS - 1,
        file.display(),
        ROWS / ROW_GROUPS
    );
    let context = SessionContext::new();
    context.sql("SET datafusion.execution.target_partitions = 1").await.unwrap();
    context.sql(&copy).await.unwrap().collect().await.unwrap();
    fs_err::read(file).unwrap()
}

/// Returns a context with the store of a URL's host, as the program makes it.
fn open(session: &Session, url: &str) -> SessionContext {
    let context = SessionContext::new();
    let root = Url::parse(url).unwrap().join("/").unwrap();
    let store = ScitokenStore::open(session, root.as_str()).unwrap();
    context.register_object_store(&root, Arc::new(DataFusionStore::from(store)));
    context
}

async fn register(context: &SessionContext, url: &str) -> Result<()> {
    context.register_parquet("t", url, ParquetReadOptions::default()).await
}

async fn query(context: &SessionContext, sql: &str) -> Result<String> {
    Ok(pretty_format_batches(&context.sql(sql).await?.collect().await?)?.to_string())
}

/// Returns the value of a query with one row and one column.
async fn value(context: &SessionContext, sql: &str) -> Result<String> {
    Ok(query(context, sql).await?.lines().nth(3).unwrap().trim_matches(['|', ' ']).to_owned())
}

/// Compares the answers to all queries with those for local files.
async fn compare(remote: &SessionContext, url: &str, files: &[&[u8]]) {
    let directory = tempfile::tempdir().unwrap();
    for (number, file) in files.iter().enumerate() {
        fs_err::write(directory.path().join(format!("{number}.parquet")), file).unwrap();
    }
    let local = SessionContext::new();
    register(&local, &format!("{}/", directory.path().display())).await.unwrap();
    register(remote, url).await.unwrap();
    for sql in QUERIES {
        let expected = query(&local, sql).await.unwrap();
        assert!(expected.lines().count() > 4, "{expected}");
        assert_eq!(query(remote, sql).await.unwrap(), expected, "{sql}");
    }
}

/// Returns how many bytes a column has.
fn column_size(file: &[u8], column: usize) -> u64 {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.len() as u64, ROW_GROUPS);
    groups.iter().map(|group| u64::try_from(group.column(column).compressed_size()).unwrap()).sum()
}

#[tokio::test]
async fn a_table_of_the_storage_has_the_rows_of_the_local_file_and_a_query_reads_its_columns() {
    let (storage, file, counter) = (Storage::start().await, table(1).await, Counter::default());
    storage.write("run 1/t.parquet", &file);
    let session = Session::builder().source(storage.token("storage.read:/")).with(counter.clone());
    let session = session.http(reqwest::ClientBuilder::no_proxy).build().unwrap();
    let url = format!("{}/run%201/t.parquet", storage.base);
    compare(&open(&session, &url), &url, &[&file]).await;

    let remote = open(&session, &url);
    counter.take();
    register(&remote, &url).await.unwrap();
    assert_eq!(counter.take(), (2, 512 * 1024), "the length, and 512 KiB from the end");
    for (column, sql) in [(1, "SELECT max(energy + 1) FROM t"), (2, "SELECT max(angle + 1) FROM t")] {
        query(&remote, sql).await.unwrap();
        let (requests, bytes) = counter.take();
        assert_eq!(requests as u64, 1 + ROW_GROUPS, "{sql}");
        let own = column_size(&file, column);
        assert!((own..own + 1024).contains(&bytes), "{sql}: {bytes} bytes for a column of {own}");
    }
    query(&remote, "SELECT energy FROM t WHERE id = 123456").await.unwrap();
    assert_eq!(counter.take().0, 2, "the statistics exclude the other row groups");
    query(&remote, "SELECT count(*) FROM t").await.unwrap();
    assert_eq!(counter.take(), (1, 0), "the statistics have the answer");
}

#[tokio::test]
async fn a_table_of_xrootd_has_the_rows_of_the_local_file() {
    let file = table(1).await;
    for release in [Release::V5_5_3, Release::V6_1] {
        let server = XRootD::data_server(release, "t").await;
        server.store("/vo/t.parquet", file.clone());
        let session = clients::session(Script::new(&["t"])).build().unwrap();
        let url = server.url("/vo/t.parquet").to_string();
        compare(&open(&session, &url), &url, &[&file]).await;
    }
}

#[tokio::test]
async fn a_federated_table_comes_from_the_first_cache() {
    let file = table(1).await;
    let claims = serde_json::json!({ "iss": ISSUER, "scope": "storage.read:/", "exp": tokens::in_an_hour() });
    let token = tokens::jwt(&claims);
    for name in ["/public/t.parquet", "/protected/t.parquet"] {
        let federation = FakeFederation::start(&[(name, &file)]).await;
        federation.accept(&token);
        let session = clients::session(Script::new(&[&token])).build().unwrap();
        let url = federation.name(name);
        compare(&open(&session, &url), &url, &[&file]).await;
        let seen = federation.seen(FederationServer::Cache(0));
        let has_token = name.starts_with("/protected");
        assert!(seen.iter().all(|asked| asked.headers.contains_key("authorization") == has_token));
        let ranges: Vec<_> = seen.iter().filter_map(|asked| asked.range()).collect();
        assert!(ranges.len() > 4 && ranges.iter().all(|range| range.len() < 1_000_000), "{ranges:?}");
        for other in [FederationServer::Cache(1), FederationServer::Origin] {
            assert_eq!(federation.lines(other), [""; 0]);
        }
    }
    let federation = FakeFederation::start(&[("/protected/t.parquet", &file)]).await;
    let session = clients::session(Script::new(&[])).build().unwrap();
    let url = federation.name("/protected/t.parquet");
    let error = register(&open(&session, &url), &url).await.unwrap_err().to_string();
    assert!(error.contains("requires a token of `https://issuer.example/protected`"), "{error}");
}

#[tokio::test]
async fn a_directory_of_files_is_one_table() {
    let (first, second) = (table(1).await, table(ROWS + 1).await);
    let storage = Storage::start().await;
    storage.write("run1/a.parquet", &first);
    storage.write("run1/b c.parquet", &second);
    storage.write("run1/notes.txt", "not a table");
    let url = format!("{}/run1/", storage.base);
    compare(&open(&storage.session("storage.read:/"), &url), &url, &[&first, &second]).await;

    let names = ["/public/run1/a.parquet", "/public/run1/b.parquet"];
    let federation = FakeFederation::start(&[(names[0], &first), (names[1], &second)]).await;
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    let url = federation.name("/public/run1/");
    compare(&open(&session, &url), &url, &[&first, &second]).await;

    storage.write("years/year=2025/a.parquet", &first);
    storage.write("years/year=2026/b.parquet", &second);
    let remote = open(&storage.session("storage.read:/"), &storage.base);
    let create = format!(
        "CREATE EXTERNAL TABLE years STORED AS PARQUET PARTITIONED BY (year) LOCATION '{}/years/'",
        storage.base
    );
    query(&remote, &create).await.unwrap();
    let first_of = |year: u64| format!("SELECT min(id) FROM years WHERE year = '{year}'");
    assert_eq!(value(&remote, &first_of(2025)).await.unwrap(), "1");
    assert_eq!(value(&remote, &first_of(2026)).await.unwrap(), (ROWS + 1).to_string());
}

#[tokio::test]
async fn the_rows_of_a_query_are_written_to_a_directory_or_a_file() {
    let (storage, file) = (Storage::start().await, table(1).await);
    storage.write("t.parquet", &file);
    let url = format!("{}/t.parquet", storage.base);
    let remote = open(&storage.session("storage.read:/ storage.modify:/"), &url);
    register(&remote, &url).await.unwrap();
    // The first has several files, which are written at once. More than a buffer comes in parts.
    query(&remote, "SET datafusion.execution.objectstore_writer_buffer_size = 262144").await.unwrap();
    for (target, rows) in [("out/all/", ROWS), ("out/some.parquet", ROWS / 2), ("out/de/ep/", 10)] {
        let target = format!("{}/{target}", storage.base);
        let copy = format!("COPY (SELECT * FROM t WHERE id <= {rows}) TO '{target}' STORED AS PARQUET");
        assert_eq!(value(&remote, &copy).await.unwrap(), rows.to_string());
        let create = format!("CREATE EXTERNAL TABLE written STORED AS PARQUET LOCATION '{target}'");
        query(&remote, &create).await.unwrap();
        let sum = value(&remote, "SELECT sum(id) FROM written").await.unwrap();
        assert_eq!(sum, (rows * (rows + 1) / 2).to_string());
        query(&remote, "DROP TABLE written").await.unwrap();
    }
    assert!(fs_err::read_dir(storage.root.path().join("out/all")).unwrap().count() > 1);
}

#[tokio::test]
async fn an_error_says_what_the_token_lacks() {
    let (storage, file) = (Storage::start().await, table(1).await);
    storage.write("run1/t.parquet", &file);
    let url = format!("{}/run1/t.parquet", storage.base);
    let token_file = FileSource::new("/nonexistent/token");
    let without = Session::builder().source(token_file).http(reqwest::ClientBuilder::no_proxy);
    let without = without.build().unwrap();
    for (session, reason) in [
        (&storage.session("storage.read:/run2"), "no scope of the token allows this"),
        (&without, "sent without a token: the source failed: no token in `/nonexistent/token`"),
    ] {
        for url in [&url, &format!("{}/run1/", storage.base)] {
            let error = register(&open(session, url), url).await.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
    let remote = open(&storage.session("storage.read:/"), &url);
    register(&remote, &url).await.unwrap();
    let copy = format!("COPY (SELECT * FROM t) TO '{}/out/' STORED AS PARQUET", storage.base);
    let error = query(&remote, &copy).await.unwrap_err().to_string();
    assert!(
        error.contains("403 Forbidden") && error.contains("no scope of the token allows this"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_file_that_is_replaced_between_two_queries_is_read_again() {
    let (storage, file) = (Storage::start().await, table(1).await);
    storage.write("t.parquet", &file);
    let (url, tokens) = (format!("{}/t.parquet", storage.base), tempfile::tempdir().unwrap());
    let token = tokens.path().join("token");
    let replace = |scope: &str| {
        let new = tokens.path().join("new");
        fs_err::write(&new, storage.token(scope).expose_secret()).unwrap();
        fs_err::rename(&new, &token).unwrap();
    };
    replace("storage.read:/");
    let session = Session::builder().source(FileSource::new(&token)).http(reqwest::ClientBuilder::no_proxy);
    // By default a file is looked at once a second.
    let session = session.auth(|auth| auth.poll_interval(Duration::ZERO)).build().unwrap();
    let remote = open(&session, &url);
    register(&remote, &url).await.unwrap();
    let sql = "SELECT sum(energy) FROM t";
    let first = query(&remote, sql).await.unwrap();
    replace("storage.read:/other");
    let error = query(&remote, sql).await.unwrap_err().to_string();
    assert!(error.contains("no scope of the token allows this"), "{error}");
    replace("storage.read:/");
    assert_eq!(query(&remote, sql).await.unwrap(), first);
}
