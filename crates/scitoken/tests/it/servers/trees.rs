//! Trees: `put -r`, `get -r`, `ls -r`, `rm -r`, `mkdir -p`, `mv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use crate::support::{Ended, run, scitoken, serve};
use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

/// A WebDAV server in memory: directories end with a slash, as `mod_dav`'s and nginx's collections have to.
#[derive(Default)]
struct Dav(BTreeMap<String, Option<Vec<u8>>>);

impl Dav {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let path = asked.path.as_str();
        let has_parent = |path: &str, entries: &BTreeMap<String, Option<Vec<u8>>>| {
            let trimmed = path.trim_end_matches('/');
            let parent = &trimmed[..=trimmed.rfind('/').unwrap_or(0)];
            parent == "/" || entries.contains_key(parent)
        };
        match asked.method.as_str() {
            "MKCOL" if !path.ends_with('/') => Reply::sized("409 Conflict", &[], ""),
            "MKCOL" if self.0.contains_key(path) => Reply::sized("405 Method Not Allowed", &[], ""),
            "MKCOL" | "PUT" if !has_parent(path, &self.0) => Reply::sized("409 Conflict", &[], ""),
            "MKCOL" => self.insert(path, None),
            "PUT" => self.insert(path, Some(asked.body.clone())),
            "DELETE" => {
                let before = self.0.len();
                self.0.retain(|name, _| name != path && !(path.ends_with('/') && name.starts_with(path)));
                Reply::sized(if self.0.len() < before { "204 No Content" } else { "404 Not Found" }, &[], "")
            }
            "MOVE" => {
                let destination: url::Url = asked.headers["destination"].parse().unwrap();
                let to = destination.path();
                if asked.headers["overwrite"] == "F" && self.0.contains_key(to) {
                    return Reply::sized("412 Precondition Failed", &[], "");
                }
                if path.ends_with('/') != to.ends_with('/') || !has_parent(to, &self.0) {
                    return Reply::sized("409 Conflict", &[], "");
                }
                let moved: Vec<_> = self.0.keys().filter(|name| name.starts_with(path)).cloned().collect();
                for name in moved {
                    let entry = self.0.remove(&name).unwrap();
                    self.0.insert(format!("{to}{}", &name[path.len()..]), entry);
                }
                Reply::sized("201 Created", &[], "")
            }
            "PROPFIND" => self.list(path, asked.headers["depth"] == "1"),
            _ => match self.0.get(path) {
                Some(Some(content)) => Reply::honest(asked, content, &[]),
                _ => Reply::sized("404 Not Found", &[], ""),
            },
        }
    }

    fn insert(&mut self, path: &str, content: Option<Vec<u8>>) -> Reply {
        self.0.insert(path.to_owned(), content);
        Reply::sized("201 Created", &[], "")
    }

    fn list(&self, path: &str, members: bool) -> Reply {
        let slashed = format!("{}/", path.trim_end_matches('/'));
        let is_directory = slashed == "/" || self.0.contains_key(&slashed);
        if !is_directory && !self.0.contains_key(path) {
            return Reply::sized("404 Not Found", &[], "");
        }
        let mut xml = String::from("<D:multistatus xmlns:D=\"DAV:\">");
        let mut add = |path: &str, length: Option<usize>| {
            let kind = length
                .map_or("<D:resourcetype><D:collection/></D:resourcetype>".to_owned(), |length| {
                    format!("<D:resourcetype/><D:getcontentlength>{length}</D:getcontentlength>")
                });
            let _ = write!(
                xml,
                "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{kind}</D:prop>\
                 <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            );
        };
        match self.0.get(path) {
            Some(Some(content)) => add(path, Some(content.len())),
            _ => add(&slashed, None),
        }
        if members && is_directory {
            for (name, content) in &self.0 {
                let below = name.strip_prefix(&slashed).unwrap_or_default().trim_end_matches('/');
                if !below.is_empty() && !below.contains('/') {
                    add(name, content.as_ref().map(Vec::len));
                }
            }
        }
        xml.push_str("</D:multistatus>");
        Reply::sized("207 Multi-Status", &[("Content-Type", "application/xml")], xml)
    }
}

struct Place {
    _runtime: tokio::runtime::Runtime,
    server: ChaosServer,
    dav: Arc<Mutex<Dav>>,
    directory: tempfile::TempDir,
}

fn place() -> Place {
    let dav: Arc<Mutex<Dav>> = Arc::default();
    let shared = Arc::clone(&dav);
    let (runtime, server) = serve(move |asked| shared.lock().unwrap().answer(asked));
    Place { _runtime: runtime, server, dav, directory: tempfile::tempdir().unwrap() }
}

impl Place {
    fn run(&self, arguments: &[&str]) -> Ended {
        run(scitoken(self.directory.path()).args(arguments))
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path).to_string()
    }

    fn names(&self) -> Vec<String> {
        self.dav.lock().unwrap().0.keys().cloned().collect()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
}

#[test]
fn a_tree_with_empty_directories_and_odd_names_goes_there_and_back() {
    let place = place();
    for name in ["tree/a", "tree/sub dir/ü/we ird#na+me%20?.txt", "tree/b.."] {
        place.write(name, name);
    }
    fs_err::create_dir_all(place.directory.path().join("tree/empty/inner")).unwrap();
    let ended = place.run(&["put", "-r", "tree", &place.url("d"), "--create-dirs"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("3 of 3 files uploaded"), "{}", ended.err);
    assert_eq!(
        place.names(),
        [
            "/d/",
            "/d/a",
            "/d/b..",
            "/d/empty/",
            "/d/empty/inner/",
            "/d/sub%20dir/",
            "/d/sub%20dir/%C3%BC/",
            "/d/sub%20dir/%C3%BC/we%20ird%23na+me%2520%3F.txt",
        ]
    );
    let ended = place.run(&["get", "-r", &place.url("d/"), "-P", "back", "--create-dirs"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let back = place.directory.path().join("back");
    assert!(back.join("empty/inner").is_dir());
    let odd = "sub dir/ü/we ird#na+me%20?.txt";
    assert_eq!(fs_err::read_to_string(back.join(odd)).unwrap(), format!("tree/{odd}"));
    // Once more, over what exists.
    assert_eq!(place.run(&["put", "-r", "tree", &place.url("d")]).code, 0);
    assert_eq!(place.names().len(), 8);
}

#[test]
fn the_name_of_the_directory_is_appended_to_a_url_that_ends_in_a_slash() {
    let place = place();
    place.write("tree/a", "x");
    for (arguments, expected) in [
        (&["put", "-r", "tree", ""][..], &["/tree/", "/tree/a"][..]),
        (&["put", "-r", "tree/", ""], &["/tree/", "/tree/a"]),
        (&["put", "-r", "./tree", "new"], &["/new/", "/new/a"]),
    ] {
        *place.dav.lock().unwrap() = Dav::default();
        let (url, others) = arguments.split_last().unwrap();
        let ended = place.run(&[others, &[&*place.url(url)]].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        assert_eq!(place.names(), expected, "{arguments:?}");
    }
    let without = place.run(&["put", "tree", &place.url("x")]);
    assert!(without.code == 2 && without.err.contains("--recursive"), "{}", without.err);
    let orphan = place.run(&["put", "-r", "tree", &place.url("no/such/place")]);
    assert!(orphan.code != 0 && orphan.err.contains("--create-dirs"), "{}", orphan.err);
    assert_eq!(place.run(&["put", "-r", "--create-dirs", "tree", &place.url("no/such/place")]).code, 0);
}

#[cfg(unix)]
#[test]
fn an_empty_tree_is_a_directory_and_a_missing_one_is_none() {
    let place = place();
    fs_err::create_dir(place.directory.path().join("empty")).unwrap();
    assert_eq!(place.run(&["put", "-r", "empty", &place.url("e")]).code, 0);
    assert_eq!(place.names(), ["/e/"]);
    let ended = place.run(&["get", "-r", &place.url("e/")]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(place.directory.path().join("e").is_dir());
    let ended = place.run(&["get", "-r", "--dry-run", &place.url("e/"), "-P", "other", "--create-dirs"]);
    assert_eq!((ended.code, place.directory.path().join("other").exists()), (0, false), "{}", ended.err);
    assert_eq!(place.run(&["get", "-r", &place.url("none/")]).code, 9);
    assert!(!place.directory.path().join("none").exists());
}

#[test]
fn a_directory_whose_name_a_file_has_is_a_failure_and_the_rest_is_uploaded() {
    let place = place();
    place.write("tree/f", "text");
    fs_err::create_dir(place.directory.path().join("tree/empty")).unwrap();
    assert_eq!(place.run(&["mkdir", &place.url("t")]).code, 0);
    assert_eq!(place.run(&["put", "tree/f", &place.url("t/empty")]).code, 0);
    // Servers name the file also with the slash.
    place.dav.lock().unwrap().0.insert("/t/empty/".to_owned(), Some(b"text".to_vec()));
    let ended = place.run(&["put", "-r", "tree", &place.url("t")]);
    assert_eq!(ended.code, 15, "{}", ended.err);
    assert!(ended.err.contains("is a file"), "{}", ended.err);
    assert!(place.names().contains(&"/t/f".to_owned()), "{:?}", place.names());
}

#[test]
fn what_cannot_be_uploaded_is_a_failure_and_the_rest_is_uploaded() {
    let place = place();
    place.write("tree/a", "x");
    std::os::unix::fs::symlink("..", place.directory.path().join("tree/loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.directory.path().join("tree/dangling")).unwrap();
    let ended = place.run(&["put", "-r", "tree", &place.url("t")]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("tree/loop") && ended.err.contains("tree/dangling"), "{}", ended.err);
    assert_eq!(place.names(), ["/t/", "/t/a"]);
}

#[test]
fn listings_are_recursive_on_request() {
    let place = place();
    place.write("tree/b/c", "x");
    place.write("tree/a", "xyz");
    assert_eq!(place.run(&["put", "-r", "tree", &place.url("t")]).code, 0);
    assert_eq!(place.run(&["ls", &place.url("t")]).out, "a\nb/\n");
    assert_eq!(place.run(&["ls", "-r", &place.url("t/")]).out, "a\nb/\nb/c\n");
    let json = place.run(&["ls", "-r", "--json", &place.url("t/")]);
    assert_eq!(json.out.lines().count(), 3);
    assert!(json.out.contains("/t/b/c"), "{}", json.out);
    let missing = place.run(&["ls", "-r", &place.url("none/")]);
    assert_eq!(missing.code, 9, "{}", missing.err);
    assert!(place.run(&["ls", "-rl", &place.url("t")]).out.contains("             3  "));
}

#[test]
fn names_are_moved_and_nothing_is_replaced_unless_asked() {
    let place = place();
    for name in ["tree/a", "tree/b", "tree/d/f"] {
        place.write(name, name);
    }
    assert_eq!(place.run(&["put", "-r", "tree", &place.url("t")]).code, 0);
    let mv = |from: &str, to: &str, more: &[&str]| {
        place.run(&[&["mv"][..], more, &[&*place.url(from), &*place.url(to)]].concat())
    };
    assert_eq!(mv("t/a", "t/c", &[]).code, 0);
    let taken = mv("t/b", "t/c", &[]);
    assert!(taken.code == 15 && taken.err.contains("--force"), "{}: {}", taken.code, taken.err);
    assert_eq!(mv("t/b", "t/c", &["--force"]).code, 0);
    assert_eq!(mv("t/c", "t/d/", &[]).code, 0, "into a directory");
    assert_eq!(mv("t/d", "t/e", &[]).code, 0, "a directory without slashes");
    assert_eq!(place.names(), ["/t/", "/t/e/", "/t/e/c", "/t/e/f"]);
    let missing = mv("t/none", "t/x", &[]);
    assert_eq!(missing.code, 9, "{}", missing.err);
    let orphan = mv("t/e/f", "t/no/where", &[]);
    assert!(orphan.code != 0 && orphan.err.contains("mkdir --parents"), "{}", orphan.err);
    let elsewhere = place.run(&["mv", &place.url("t/e/f"), "https://other.test/f"]);
    assert!(elsewhere.code == 2 && elsewhere.err.contains("another server"), "{}", elsewhere.err);
    let json = place.run(&["mv", "--json", &place.url("t/e/f"), &place.url("t/f")]);
    assert!(json.code == 0 && json.out.contains("\"moved\":true"), "{}", json.out);
    let removed = place.run(&["rm", "-r", &place.url("t")]);
    assert_eq!((removed.code, place.names().len()), (0, 0), "{}", removed.err);
}

#[test]
fn an_entry_that_fails_does_not_hide_the_others() {
    let listing = "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/d/</D:href><D:propstat><D:prop>\
        <D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
        </D:response><D:response><D:href>/d/secret</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>\
        <D:response><D:href>/d/open</D:href><D:propstat><D:prop><D:resourcetype/></D:prop>\
        <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>";
    let (_runtime, server) = serve(move |_| Reply::sized("207 Multi-Status", &[], listing));
    let directory = tempfile::tempdir().unwrap();
    for more in [&[][..], &["-r"]] {
        let ended = run(scitoken(directory.path()).arg("ls").args(more).arg(server.url("d/").as_str()));
        assert_eq!((ended.code, &*ended.out), (8, "open\n"), "{more:?}: {}", ended.err);
        assert!(ended.err.contains("/d/secret"), "{}", ended.err);
    }
}

#[test]
fn a_recursive_listing_has_the_names_of_the_server() {
    let names = ["-dash.root", "a%0Ab", "..%2e", "sub/"];
    let (_runtime, server) = serve(move |asked| match asked.path.as_str() {
        "/d/" => crate::support::listing("/d/", "", &names),
        _ => crate::support::listing("/d/", "sub/", &["f"]),
    });
    let directory = tempfile::tempdir().unwrap();
    let flat = run(scitoken(directory.path()).args(["ls", server.url("d/").as_str()]));
    let deep = run(scitoken(directory.path()).args(["ls", "-r", server.url("d/").as_str()]));
    assert_eq!((flat.code, deep.code), (0, 0), "{}{}", flat.err, deep.err);
    assert!(deep.out.contains("-dash.root\n") && !deep.out.contains("_-dash"), "{}", deep.out);
    assert!(deep.out.contains("sub/f\n"), "{}", deep.out);
    assert_eq!(deep.out.lines().count(), flat.out.lines().count() + 1, "{}{}", flat.out, deep.out);
}
