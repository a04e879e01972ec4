//! Names that others choose: below one directory, over no link, and over no file of the user.

use std::path::Path;

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};
use tokio::runtime::Runtime;

use crate::support::{DIGEST, Ended, HELLO, get, listing, run, scitoken, serve};

/// What the user's own files hold.
const MINE: &str = "mine";

/// The tree that the server lists.
fn tree(asked: &Asked) -> Reply {
    let path = format!("{}/", asked.path.trim_end_matches('/'));
    match (asked.method.as_str(), path.as_str()) {
        ("PROPFIND", "/vo/home/") => {
            listing("", &path, &[".bashrc", ".netrc", ".ssh/", ".config/", "notes", "sub/"])
        }
        ("PROPFIND", "/vo/home/.ssh/") => listing("", &path, &["authorized_keys"]),
        ("PROPFIND", "/vo/home/.config/") => listing("", &path, &["scitoken.toml"]),
        ("PROPFIND", "/vo/home/sub/") => listing("", &path, &["f", ".git/"]),
        ("PROPFIND", "/vo/home/sub/.git/") => listing("", &path, &["config"]),
        ("PROPFIND", _) => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    }
}

/// A home directory with files of the user, and a server.
fn home() -> (tempfile::TempDir, Runtime, ChaosServer) {
    let directory = tempfile::tempdir().unwrap();
    for name in [".bashrc", ".netrc", ".ssh/authorized_keys", "notes", "elsewhere/f"] {
        let path = directory.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, MINE).unwrap();
    }
    let (runtime, server) = serve(tree);
    (directory, runtime, server)
}

#[track_caller]
fn assert_mine(directory: &Path, names: &[&str]) {
    for name in names {
        assert_eq!(fs_err::read_to_string(directory.join(name)).unwrap(), MINE, "{name}");
    }
}

fn refused(ended: &Ended, what: &str, hint: &str) {
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains(what), "{}", ended.err);
    assert!(ended.err.contains(&format!("hint: {hint}")), "{}", ended.err);
}

#[test]
fn without_a_named_directory_the_tree_goes_into_one_of_its_name() {
    let (home, _runtime, server) = home();
    for url in ["vo/home/", "vo/home", "vo/home//", "vo/%68ome/"] {
        let ended = get(home.path(), &["-r", server.url(url).as_str()]);
        // The directory is new in the first run only.
        if url == "vo/home/" {
            assert_eq!(ended.code, 0, "{}", ended.err);
        }
        for name in [".bashrc", ".ssh/authorized_keys", "notes", "sub/f", "sub/.git/config"] {
            assert_eq!(fs_err::read(home.path().join("home").join(name)).unwrap(), HELLO, "{name}");
        }
    }
    assert_mine(home.path(), &[".bashrc", ".netrc", ".ssh/authorized_keys", "notes", "elsewhere/f"]);
    assert_eq!(fs_err::read_dir(home.path()).unwrap().count(), 6, "the home and `home`");
}

#[test]
fn a_collection_without_a_usable_name_needs_a_directory() {
    let (home, _runtime, server) = home();
    for url in ["", "/", "vo/%2e%2e%2f", "vo/a%00b/"] {
        let ended = get(home.path(), &["-r", server.url(url).as_str()]);
        assert_eq!(ended.code, 2, "{url}: {}", ended.err);
        assert!(ended.err.contains("`-P DIR`"), "{url}: {}", ended.err);
    }
    assert!(server.seen().is_empty());
    let ended = get(home.path(), &["-r", server.url("vo/home/.ssh/").as_str()]);
    refused(&ended, "`.ssh` begins with a dot", "name a new directory with `-P DIR`");
    assert_mine(home.path(), &[".ssh/authorized_keys"]);
}

#[test]
fn in_a_directory_that_existed_names_with_a_dot_are_refused_and_the_rest_arrives() {
    let (home, _runtime, server) = home();
    for place in [".", "elsewhere", "existing/"] {
        fs_err::create_dir_all(home.path().join(place)).unwrap();
        let ended = get(home.path(), &["-r", "-P", place, server.url("vo/home/").as_str()]);
        refused(&ended, "`.bashrc` begins with a dot", "name a new directory with `-P DIR`");
        assert!(ended.err.contains("`sub/.git` begins with a dot"), "{}", ended.err);
        assert_eq!(fs_err::read(home.path().join(place).join("sub/f")).unwrap(), HELLO);
        assert!(!home.path().join(place).join(".config").exists());
    }
    assert_mine(home.path(), &[".bashrc", ".netrc", ".ssh/authorized_keys", "notes", "elsewhere/f"]);
}

#[test]
fn a_file_of_the_user_is_replaced_only_with_overwrite() {
    let (home, _runtime, server) = home();
    let url = server.url("vo/home/sub/").to_string();
    for (place, arguments) in [
        ("elsewhere", &["-r"][..]),
        ("elsewhere", &["-r", "--skip-existing=size"]),
        ("elsewhere", &["-r", "--checksum", "none"]),
        ("elsewhere", &["-r", "--no-resume"]),
    ] {
        let ended = get(home.path(), &[arguments, &["-P", place, &url]].concat());
        refused(
            &ended,
            "`elsewhere/f` already exists, and no earlier download made it",
            "pass `--overwrite`",
        );
        assert_mine(home.path(), &["elsewhere/f"]);
    }
    let ended = get(home.path(), &["-r", "--overwrite", "-P", "elsewhere", &url]);
    assert!(!ended.err.contains("already exists"), "{}", ended.err);
    assert_eq!(fs_err::read(home.path().join("elsewhere/f")).unwrap(), HELLO);
    // What is right already counts as downloaded, whoever made it.
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PROPFIND" => listing("", "/d/", &["f"]),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    fs_err::write(home.path().join("elsewhere/f"), HELLO).unwrap();
    let ended = get(home.path(), &["-r", "-P", "elsewhere", server.url("d/").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

/// Needs a file system with extended attributes; elsewhere the files of an earlier run count as the user's.
#[cfg(target_os = "linux")]
#[test]
fn a_later_run_replaces_what_an_earlier_one_made_and_not_what_the_user_changed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let is_new = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_new);
    let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
        "PROPFIND" => listing("", "/runs/", &["a", "b", "c"]),
        _ if flag.load(Ordering::SeqCst) => Reply::honest(asked, b"hello, the new ones", &[]),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let url = server.url("runs/").to_string();
    assert_eq!(get(directory.path(), &["-r", &url]).code, 0);
    let marked =
        std::process::Command::new("getfattr").args(["-n", "user.scitoken"]).arg(runs.join("a")).output();
    if marked.is_ok_and(|output| !output.status.success()) {
        return;
    }
    fs_err::write(runs.join("b"), MINE).unwrap();
    fs_err::remove_file(runs.join("c")).unwrap();
    fs_err::copy(runs.join("a"), runs.join("c")).unwrap();
    is_new.store(true, Ordering::SeqCst);
    let ended = get(directory.path(), &["-r", &url]);
    assert_eq!(ended.code, 15, "{}", ended.err);
    assert_eq!(fs_err::read(runs.join("a")).unwrap(), b"hello, the new ones");
    assert_mine(&runs, &["b"]);
    assert_eq!(fs_err::read(runs.join("c")).unwrap(), HELLO, "a copy is the user's");
}

#[cfg(unix)]
#[test]
fn links_below_the_directory_lead_nowhere() {
    let (home, _runtime, server) = home();
    let at = |name: &str| home.path().join(name);
    fs_err::create_dir_all(at("place")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", at("place/sub")).unwrap();
    std::os::unix::fs::symlink("../notes", at("place/notes")).unwrap();
    for overwrite in [&[][..], &["--overwrite"]] {
        let ended =
            get(home.path(), &[overwrite, &["-r", "-P", "place", server.url("vo/home/").as_str()]].concat());
        refused(&ended, "`sub/f` leads through a link or a file", "name a new directory");
        assert!(ended.err.contains("`place/notes` is a symbolic link"), "{}", ended.err);
    }
    // Not even where the user has a link of the collection's name.
    std::os::unix::fs::symlink("elsewhere", at("home")).unwrap();
    let ended = get(home.path(), &["-r", server.url("vo/home/").as_str()]);
    refused(&ended, "`home` leads through a link or a file", "name a new directory");
    assert_mine(home.path(), &["elsewhere/f", "notes"]);
    assert_eq!(fs_err::read_dir(at("elsewhere")).unwrap().count(), 1);
}

#[test]
fn a_list_from_standard_input_is_held_to_the_same_rules() {
    let (home, _runtime, server) = home();
    let url = server.url("f").to_string();
    for (name, code, what) in [
        (".bashrc", 3, "`.bashrc` begins with a dot"),
        (".ssh/authorized_keys", 3, "begins with a dot"),
        ("notes", 15, "`notes` already exists, and no earlier download made it"),
    ] {
        let list = format!("{url}\n  out={name}\n{url}\n  out=fine/f\n");
        let ended = run(scitoken(home.path()).args(["get", "-i", "-"]).write_stdin(list));
        assert_eq!(ended.code, code, "{}", ended.err);
        assert!(ended.err.contains(what), "{}", ended.err);
        assert_eq!(fs_err::read(home.path().join("fine/f")).unwrap(), HELLO);
    }
    assert_mine(home.path(), &[".bashrc", ".ssh/authorized_keys", "notes"]);
    let list = format!("{url}\n  out=notes\n");
    let ended = run(scitoken(home.path()).args(["get", "-i", "-", "--overwrite"]).write_stdin(list));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(fs_err::read(home.path().join("notes")).unwrap(), HELLO);
}

#[test]
fn a_metalink_is_held_to_the_same_rules_wherever_it_comes_from() {
    let (home, _runtime, server) = home();
    let file = |name: &str| format!("<file name=\"{name}\"><url>{}</url></file>", server.url("f"));
    let names = [".netrc", ".config/scitoken/scitoken.toml", "notes", "good/f"];
    let text = format!(
        "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">{}</metalink>",
        names.map(file).concat()
    );
    fs_err::write(home.path().join("list.meta4"), &text).unwrap();
    for from in ["list.meta4", "-"] {
        let ended = run(scitoken(home.path()).args(["get", "-i", from]).write_stdin(text.clone()));
        assert_eq!(ended.code, 3, "{}", ended.err);
        for what in
            ["`.netrc` begins with a dot", "scitoken.toml` begins with a dot", "`notes` already exists"]
        {
            assert!(ended.err.contains(what), "{}", ended.err);
        }
        assert!(!home.path().join(".config").exists());
        assert_eq!(fs_err::read(home.path().join("good/f")).unwrap(), HELLO);
    }
    assert_mine(home.path(), &[".netrc", "notes"]);
}

#[test]
fn a_list_of_the_user_replaces_files_and_still_meets_no_settings_and_no_links() {
    let (home, _runtime, server) = home();
    let url = server.url("f").to_string();
    let list = format!("{url}\n  out=notes\n{url}\n  out=.bashrc\n");
    fs_err::write(home.path().join("list"), list).unwrap();
    let ended = get(home.path(), &["-i", "list"]);
    refused(&ended, "`.bashrc` begins with a dot", "name a new directory");
    assert_eq!(fs_err::read(home.path().join("notes")).unwrap(), HELLO);
    assert_mine(home.path(), &[".bashrc"]);
}

#[test]
fn a_name_by_the_server_replaces_a_file_only_with_overwrite() {
    let (_runtime, server) = serve(|asked| {
        Reply::honest(asked, HELLO, &[("Content-Disposition", "attachment; filename=movie.mkv"), DIGEST[0]])
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("movie.mkv");
    let part = directory.path().join("movie.mkv.part");
    for part_is in ["", MINE] {
        fs_err::write(&part, part_is).unwrap();
        for arguments in [&["-J"][..], &["-J", "--skip-existing=size"], &["-J", "--skip-existing"]] {
            fs_err::write(&path, MINE).unwrap();
            let ended = get(directory.path(), &[arguments, &[server.url("x").as_str()]].concat());
            assert_eq!(ended.code, 15, "{arguments:?}: {}", ended.err);
            assert!(ended.err.contains("`movie.mkv` already exists"), "{}", ended.err);
            assert_mine(directory.path(), &["movie.mkv"]);
        }
        let ended = get(directory.path(), &["-J", "--overwrite", server.url("x").as_str()]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert_eq!(fs_err::read(&path).unwrap(), HELLO);
        assert_eq!(fs_err::read_to_string(&part).unwrap(), part_is, "the user's own part file");
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 2);
    }
}
