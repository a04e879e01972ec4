//! How long jsonwebtoken takes for one token: `{"token":…,"public":…,"algorithm":…}` in, nanoseconds by name out.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};

fn main() {
    let question: Value = serde_json::from_reader(std::io::stdin()).expect("a question");
    let text = |name: &str| question[name].as_str().expect("a text");
    let (token, pem) = (text("token"), text("public"));
    let (key, algorithm) = match text("algorithm") {
        "RS256" => (DecodingKey::from_rsa_pem(pem.as_bytes()), Algorithm::RS256),
        _ => (DecodingKey::from_ec_pem(pem.as_bytes()), Algorithm::ES256),
    };
    let (key, mut validation) = (key.expect("a key"), Validation::new(algorithm));
    validation.validate_aud = false;
    let once = || {
        black_box(decode::<Map<String, Value>>(black_box(token), &key, &validation).expect("a good token"));
    };
    (0..200).for_each(|_| once());
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_millis(50) {
        (0..50).for_each(|_| once());
        count += 50;
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(count);
    println!("{{\"jsonwebtoken 11, aws-lc\":{nanoseconds}}}");
}
