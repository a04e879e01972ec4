//! Headers and claims as JSON from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scitoken_jwt::Object;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(object) = Object::parse(bytes) {
        let written = object.to_string();
        assert!(written.is_ascii());
        let again = Object::parse(&written).expect("what was written is read");
        assert_eq!(again.to_string(), written);
        for name in object.names() {
            assert!(object.contains(name));
            let _ = object.text(name);
            let _ = object.value::<f64>(name);
        }
    }
});
