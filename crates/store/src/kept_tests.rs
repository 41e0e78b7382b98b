//! Readers, the writer and another process on one value, in every order that chance finds; and what is kept of many.

use super::*;

const KEY: u32 = 1;
/// Places of the small memories here.
const FEW: usize = 4;

fn small() -> Kept<u32, u64> {
    Kept::new(1, FEW, |_| 0)
}

fn known(kept: &Kept<u32, u64>, key: u32) -> Option<u64> {
    kept.lookup().get(&key, |value| *value)
}

/// The database, memory, and what somebody was told: the least that everybody must be told from now on.
struct World {
    kept: Kept<u32, u64>,
    stored: u64,
    told: u64,
}

/// What somebody is in the middle of.
#[derive(Clone, Copy)]
enum Actor {
    /// Looked, or has read too; what was told when it began.
    Reader { floor: u64, mark: Mark, read: Option<u64> },
    /// Looked, or has committed too.
    Writer { mark: Mark, committed: Option<u64> },
}

impl World {
    /// Somebody begins to ask; it is told at once, or has to read.
    fn ask(&mut self) -> Option<Actor> {
        let floor = self.told;
        match known(&self.kept, KEY) {
            Some(value) => self.tell(floor, value),
            None => return Some(Actor::Reader { floor, mark: self.kept.look(&KEY), read: None }),
        }
        None
    }

    fn tell(&mut self, floor: u64, value: u64) {
        assert!(value >= floor, "{value} is told after {floor}");
        self.told = self.told.max(value);
    }

    /// The next step of somebody; nothing is left of it after the last one.
    fn step(&mut self, actor: Actor) -> Option<Actor> {
        match actor {
            Actor::Reader { floor, mark, read: None } => {
                return Some(Actor::Reader { floor, mark, read: Some(self.stored) });
            }
            Actor::Reader { floor, mark, read: Some(read) } => match self.kept.fill(&KEY, mark, read) {
                Some(value) => self.tell(floor, value),
                None => return Some(Actor::Reader { floor, mark: self.kept.look(&KEY), read: None }),
            },
            Actor::Writer { mark, committed: None } => {
                self.stored += 1;
                return Some(Actor::Writer { mark, committed: Some(self.stored) });
            }
            Actor::Writer { mark, committed: Some(value) } => {
                self.kept.settle(&KEY, mark, value);
                // Whoever wrote it is told so now.
                self.told = self.told.max(value);
            }
        }
        None
    }
}

/// Broken: a panel sees an order go back from "In progress" to "Pending", or money come back that was spent. Seen to fail
/// without the comparison of places in `fill`, without that in `settle`, with either comparing numbers only or values
/// only, with a `settle` that leaves what it did not expect, and with a `fill` whose reader is told what it read.
#[test]
fn nobody_is_told_an_older_value_after_a_newer_one() {
    for seed in 1..=20_000_u64 {
        let mut world = World { kept: small(), stored: 1, told: 0 };
        let (mut chance, mut actors, mut writing) = (Chance(seed), Vec::new(), false);
        for _ in 0..60 {
            match chance.below(10) {
                0..=2 => actors.extend(world.ask()),
                // There is one writer, and nobody else writes between its look and its commit.
                3 if !writing => {
                    writing = true;
                    actors.push(Actor::Writer { mark: world.kept.look(&KEY), committed: None });
                }
                4 if !actors.iter().any(|actor| matches!(actor, Actor::Writer { committed: None, .. })) => {
                    world.stored += 1;
                }
                5 if chance.below(3) == 0 => world.kept.forget(),
                // Others need its room.
                6 if chance.below(3) == 0 => (2..12).for_each(|other| {
                    world.kept.look(&other);
                }),
                7 if chance.below(3) == 0 => world.kept.clear(&KEY, world.kept.look(&KEY)),
                _ if !actors.is_empty() => {
                    let next = actors.swap_remove(chance.below(actors.len()));
                    let writes = matches!(next, Actor::Writer { committed: Some(_), .. });
                    writing = writing && !writes;
                    actors.extend(world.step(next));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_used_stays_and_the_rest_makes_room() {
    let kept = Kept::<u32, u64>::new(2, 2 * FEW, |key| usize::try_from(*key).unwrap());
    for key in 0..1_000 {
        for used in [0, 1, key] {
            let mark = kept.look(&used);
            assert_eq!(kept.fill(&used, mark, u64::from(used)), Some(u64::from(used)));
        }
        assert_eq!((known(&kept, 0), known(&kept, 1)), (Some(0), Some(1)), "after {key}");
    }
    let places: usize = (0..2).map(|index| kept.lock(index)).map(|part| part.recent.len() + part.older.len()).sum();
    assert!(places <= 4 * FEW, "{places}");
    assert_eq!((known(&kept, 999), known(&kept, 5)), (Some(999), None));
    kept.forget();
    assert_eq!((known(&kept, 0), known(&kept, 999)), (None, None));
}

#[test]
fn what_is_not_there_takes_no_room() {
    let kept = small();
    kept.clear(&KEY, kept.look(&KEY));
    assert_eq!(kept.lock(0).recent.len(), 0);
    // Somebody found it after all.
    let mark = kept.look(&KEY);
    assert_eq!(kept.fill(&KEY, mark, 7), Some(7));
    kept.clear(&KEY, mark);
    assert_eq!(known(&kept, KEY), Some(7));
}

/// Numbers that look random and are the same for a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        // xorshift64 by Marsaglia.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(end).unwrap()).unwrap()
    }
}
