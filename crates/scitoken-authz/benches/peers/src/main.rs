//! How long jsonwebtoken takes for one token: `{"token":…,"public":…,"algorithm":…}` in, nanoseconds of CPU
//! time by name out.

use std::hint::black_box;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rustix::time::{ClockId, clock_gettime};
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
    let (start, mut count) = (cpu_time(), 0_u32);
    while cpu_time() - start < Duration::from_millis(50) {
        (0..50).for_each(|_| once());
        count += 50;
    }
    let nanoseconds = (cpu_time() - start).as_nanos() / u128::from(count);
    println!("{{\"jsonwebtoken 11, aws-lc\":{nanoseconds}}}");
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let positive = "a time since the start";
    Duration::new(time.tv_sec.try_into().expect(positive), time.tv_nsec.try_into().expect(positive))
}
