//! A `.netrc` file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reqwest_scitokens::netrc::Netrc;

fuzz_target!(|input: (&str, &str)| {
    let (before, password) = input;
    let _ = Netrc::parse(before);
    // a password of letters that no other text has
    let password: String = password.chars().filter(char::is_ascii_alphanumeric).collect();
    if password.len() >= 8 {
        let secret = format!("Zz9{password}9zZ");
        let shown = match Netrc::parse(&format!("{before}\nmachine h login l password {secret}\n")) {
            Ok(netrc) => format!("{netrc:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(&secret), "a password is shown");
    }
});
