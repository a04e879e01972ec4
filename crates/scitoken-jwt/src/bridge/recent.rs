//! A bounded map by SHA-256 that keeps what is in use.

use std::collections::HashMap;
use std::mem;

/// It has two halves. What is new goes into the young half; when that is full, it becomes the old half and the previous
/// old half is dropped. What is found in the old half moves to the young one.
pub(super) struct Recent<V> {
    young: HashMap<[u8; 32], V>,
    old: HashMap<[u8; 32], V>,
    half: usize,
}

impl<V: Clone> Recent<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: capacity.div_ceil(2) }
    }

    pub(super) fn get(&mut self, name: &[u8; 32]) -> Option<V> {
        if let Some(value) = self.young.get(name) {
            return Some(value.clone());
        }
        let value = self.old.remove(name)?;
        self.put(*name, value.clone());
        Some(value)
    }

    pub(super) fn put(&mut self, name: [u8; 32], value: V) {
        if self.young.len() >= self.half {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_in_use() {
        let mut recent = Recent::new(10);
        recent.put([0xff; 32], 0);
        for number in 0..200 {
            recent.put([number; 32], number);
            assert_eq!(recent.get(&[0xff; 32]), Some(0));
            assert!(recent.young.len() + recent.old.len() <= 10);
        }
        assert_eq!((recent.get(&[199; 32]), recent.get(&[1; 32])), (Some(199), None));
    }
}
