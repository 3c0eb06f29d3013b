//! A besieger tries, again and again, caring for nothing: refusals and broken links are part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::crowd::Fought;
use super::ground::{CHANNELS, PLACES, SKUS, place, point, sku};
use super::staff::Paper;
use crate::process::unique;
use crate::wait::Wait;
use crate::{Answer, Api};

/// Holds, orders and documents of each kind that a besieger remembers.
const REMEMBERED: usize = 40;

/// One of many.
pub struct Besieger {
    doors: Vec<Api>,
    client: (String, String),
    /// What everything it does follows from.
    pub random: StdRng,
    /// What no other is called.
    pub name: String,
    /// Holds it was granted, with what they hold.
    pub holds: Vec<(String, Value)>,
    /// Orders it has placed.
    pub orders: Vec<String>,
    /// Documents it has begun.
    pub papers: Vec<Paper>,
    /// What it was answered.
    pub fought: Fought,
}

impl Besieger {
    /// Who goes in by any of these doors.
    pub fn new(doors: &[Api], client: &(String, String), number: usize, seed: u64) -> Self {
        Self {
            doors: doors.to_vec(),
            client: client.clone(),
            random: StdRng::seed_from_u64(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            name: format!("{number}-{}", unique()),
            holds: Vec::new(),
            orders: Vec::new(),
            papers: Vec::new(),
            fought: Fought::default(),
        }
    }

    /// Tries until nothing is left to be tried.
    pub async fn fight(mut self, left: Arc<AtomicUsize>) -> Fought {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            match self.random.random_range(0..100) {
                0..29 => self.hold().await,
                29..36 => self.give_back().await,
                36..41 => self.give_a_part_back().await,
                41..44 => self.extend().await,
                44..61 => self.order().await,
                61..66 => self.cancel().await,
                66..72 => self.fulfil().await,
                72..80 => self.sell_at_the_till().await,
                80..84 => self.deliver().await,
                84..96 => self.work_on_papers().await,
                96..98 => self.damage().await,
                _ => self.look().await,
            }
        }
        self.fought
    }

    /// The number of one of the SKUs, the first ones most often (Zipf's law).
    pub fn sku_number(&mut self) -> usize {
        let harmonic: f64 = (1..=SKUS).map(|n| 1.0 / n as f64).sum();
        let mut at = self.random.random_range(0.0..harmonic);
        for number in 0..SKUS {
            at -= 1.0 / (number + 1) as f64;
            if at <= 0.0 {
                return number;
            }
        }
        0
    }

    /// One of the SKUs.
    pub fn sku(&mut self) -> String {
        sku(self.sku_number())
    }

    /// One of the places.
    pub fn place(&mut self) -> String {
        place(self.random.random_range(0..PLACES))
    }

    /// One of the channels.
    pub fn channel(&mut self) -> &'static str {
        CHANNELS.choose(&mut self.random).map_or("free", |(channel, _)| channel)
    }

    /// What somebody wants.
    pub fn lines(&mut self) -> Vec<Value> {
        let lines = self.random.random_range(1..=2);
        (0..lines).map(|_| self.line()).collect()
    }

    fn line(&mut self) -> Value {
        json!({ "sku": self.sku(), "quantity": self.random.random_range(1..=3) })
    }

    /// Where somebody lives.
    pub fn address(&mut self) -> Value {
        let (latitude, longitude) = point(self.random.random_range(0..PLACES));
        json!({ "country": "CN", "latitude": latitude, "longitude": longitude })
    }

    /// Sends a request until it is answered, and one in twenty once more under its key; the answer of one that was granted.
    pub async fn send(&mut self, what: &str, method: Method, path: &str, body: Value) -> Option<Value> {
        let door = self.random.random_range(0..self.doors.len());
        let key = unique();
        let asked = (method, path, body.to_string(), key.as_str());
        let mut answer = self.answer(what, door, &asked).await;
        if self.random.random_bool(0.05) {
            let again = self.answer(what, door, &asked).await;
            let granted = |answer: &Answer| (200..300).contains(&answer.status);
            assert!(granted(&again) || !granted(&answer), "{path} was granted, and then not: {again:?}");
            answer = again;
        }
        if (200..300).contains(&answer.status) {
            self.fought.tally.of_mut(what).granted += 1;
            return Some(answer.body);
        }
        assert!(answer.status < 500, "{path} was answered with {}: {}", answer.status, answer.body);
        let code = answer.body["code"].as_str().expect("a problem has a code");
        self.fought.tally.of_mut(what).refuse(code);
        None
    }

    /// The answer to a request, which is made under one key until there is one: so it has happened once if it was granted,
    /// and not at all if it was refused.
    async fn answer(&mut self, what: &str, door: usize, asked: &(Method, &str, String, &str)) -> Answer {
        let (method, path, body, key) = asked;
        let headers = [("content-type", "application/json"), ("idempotency-key", *key)];
        let wait = Wait::until(&format!("{method} {path} is answered"));
        loop {
            let body = body.clone().into_bytes();
            match self.doors[door].try_bytes(method.clone(), path, body, &headers).await {
                Ok(answer) if answer.status == 401 => self.renew().await,
                Ok(answer) if !answer.is_passing() => return answer,
                Ok(answer) => {
                    self.fought.tally.of_mut(what).unanswered += 1;
                    wait.pause(answer.body).await;
                }
                Err(error) => {
                    self.fought.tally.of_mut(what).unanswered += 1;
                    wait.pause(error).await;
                }
            }
        }
    }

    /// Gets a new token: the one before has run out.
    async fn renew(&mut self) {
        let (id, secret) = &self.client;
        for door in &mut self.doors {
            *door = door.renewed(id, secret).await;
        }
    }
}

/// Remembers something, and forgets the oldest for it where there is no room.
pub fn remember<T>(list: &mut Vec<T>, what: T) {
    if list.len() >= REMEMBERED {
        list.remove(0);
    }
    list.push(what);
}
