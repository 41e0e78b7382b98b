//! Values of the database that are kept in memory in such a way that nobody who was told one is told an older one later.
//!
//! A value has a *place* from when somebody asks for it or changes it until the place is taken away: because everything is
//! forgotten, or because others need its room. No two places have one number, see [`Mark`].
//!
//! - A reader who finds no value looks at the place ([`Kept::look`], which makes one), then reads the database, and then
//!   fills the place ([`Kept::fill`]), but only if it is that same place and still empty. It is told what stands there
//!   after that, and reads again if that place is gone.
//! - The writer looks at the places of what it is about to commit, while nobody else can write, and after the commit puts
//!   the new values into those that are as they were ([`Kept::settle`]). One that was filled meanwhile may hold what was
//!   before the commit, or what another process wrote after it, and nobody can say which: it is taken away.
//!
//! So a value is told only from its place. The first one there was read after the place was made, hence after all that was
//! told from earlier places was committed. Afterwards only the writer changes it, to what it committed on top of it: it
//! stood there before the commit, and from then on nobody else could write. What another process writes is told once the
//! places are forgotten, or made anew for other reasons; what was in them cannot come back, for whoever has read it finds
//! another place than it looked at.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values by their keys. Those used last stay; memory is bounded by twice as many.
pub(crate) struct Kept<K, V> {
    parts: Vec<Mutex<Part<K, V>>>,
    part_of: fn(&K) -> usize,
    /// Of each part.
    places_max: usize,
}

/// A place as somebody saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    place: u64,
    filled: bool,
}

impl<K: Eq + Hash + Clone, V: Clone> Kept<K, V> {
    /// Room for `places_max` values, and at times twice as many, in parts with a lock each; `part_of` spreads the keys.
    pub(crate) fn new(parts: usize, places_max: usize, part_of: fn(&K) -> usize) -> Self {
        let part = |_| Mutex::new(Part { recent: HashMap::new(), older: HashMap::new(), places: 0 });
        Self { parts: (0..parts).map(part).collect(), part_of, places_max: places_max.div_ceil(parts) }
    }

    /// Looks values up one after the other. It holds a lock until it is dropped.
    pub(crate) fn lookup(&self) -> Lookup<'_, K, V> {
        Lookup { kept: self, held: None }
    }

    /// Looks at the place of a value that is about to be read or written; makes it if there is none.
    pub(crate) fn look(&self, key: &K) -> Mark {
        let mut part = self.lock(self.index(key));
        if let Some(place) = part.find(key, self.places_max) {
            return place.mark();
        }
        part.places += 1;
        let place = Place { number: part.places, value: None };
        let mark = place.mark();
        part.insert(key.clone(), place, self.places_max);
        mark
    }

    /// Puts down what was read since `mark` was seen; returns what is to be told, or `None` if it has to be read again.
    pub(crate) fn fill(&self, key: &K, mark: Mark, value: V) -> Option<V> {
        let mut part = self.lock(self.index(key));
        let place = part.find(key, self.places_max)?;
        if place.value.is_none() && place.number == mark.place {
            place.value = Some(value);
        }
        place.value.clone()
    }

    /// Takes back a place that was looked at for nothing: there is no such value.
    pub(crate) fn clear(&self, key: &K, mark: Mark) {
        let mut part = self.lock(self.index(key));
        if part.find(key, self.places_max).is_some_and(|place| place.value.is_none() && place.number == mark.place) {
            part.recent.remove(key);
        }
    }

    /// Puts down what was committed; `mark` was seen before.
    pub(crate) fn settle(&self, key: &K, mark: Mark, value: V) {
        let mut part = self.lock(self.index(key));
        let Some(place) = part.find(key, self.places_max) else { return };
        if place.mark() == mark {
            place.value = Some(value);
        } else {
            part.recent.remove(key);
        }
    }

    /// Takes every place away.
    pub(crate) fn forget(&self) {
        for index in 0..self.parts.len() {
            let mut part = self.lock(index);
            part.recent.clear();
            part.older.clear();
        }
    }

    fn index(&self, key: &K) -> usize {
        (self.part_of)(key) % self.parts.len()
    }

    fn lock(&self, index: usize) -> MutexGuard<'_, Part<K, V>> {
        self.parts[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values that are looked up together. Where neighbours share a part, they share its lock too.
pub(crate) struct Lookup<'a, K, V> {
    kept: &'a Kept<K, V>,
    held: Option<(usize, MutexGuard<'a, Part<K, V>>)>,
}

impl<K: Eq + Hash + Clone, V: Clone> Lookup<'_, K, V> {
    /// What `read` makes of the value, if it is known.
    pub(crate) fn get<T>(&mut self, key: &K, read: impl FnOnce(&V) -> T) -> Option<T> {
        let index = self.kept.index(key);
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            // Given back first: two who hold what the other one wants would wait for ever.
            self.held = None;
            self.held = Some((index, self.kept.lock(index)));
        }
        let (_, part) = self.held.as_mut()?;
        if let Some(place) = part.recent.get(key) {
            return place.value.as_ref().map(read);
        }
        part.find(key, self.kept.places_max)?.value.as_ref().map(read)
    }
}

struct Part<K, V> {
    /// What was used since `older` was put aside.
    recent: HashMap<K, Place<V>>,
    older: HashMap<K, Place<V>>,
    /// How many places were made.
    places: u64,
}

struct Place<V> {
    number: u64,
    value: Option<V>,
}

impl<V> Place<V> {
    const fn mark(&self) -> Mark {
        Mark { place: self.number, filled: self.value.is_some() }
    }
}

impl<K: Eq + Hash, V> Part<K, V> {
    /// The place of a key, which counts as used; it is among the recent ones then.
    fn find(&mut self, key: &K, places_max: usize) -> Option<&mut Place<V>> {
        if !self.recent.contains_key(key) {
            let (key, place) = self.older.remove_entry(key)?;
            self.insert(key, place, places_max);
        }
        self.recent.get_mut(key)
    }

    /// Makes room by dropping what was not used for longest.
    fn insert(&mut self, key: K, place: Place<V>, places_max: usize) {
        if self.recent.len() >= places_max {
            std::mem::swap(&mut self.recent, &mut self.older);
            self.recent.clear();
        }
        self.recent.insert(key, place);
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
