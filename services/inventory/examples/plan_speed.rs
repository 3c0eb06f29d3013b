//! How long one plan takes: orders of five lines over 6,000 locations, by each ruleset that is shipped.
//!
//! `plan_speed [stores.csv]` takes the first locations from a file with the columns `longitude` and `latitude` and makes up
//! the rest. Prints one JSON object: microseconds by ruleset and percentile.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

use chrono_tz::Asia::Shanghai;
use contracts::events::{FulfilmentKind, LocationKind};
use inventory::domain::hours::Schedule;
use inventory::domain::{
    Atlas, Line, Loads, Moment, Place, Reach, Request, Rules, Ruleset, Shelves, Site, Snapshot, plan,
};
use kernel::{GeoPoint, SkuCode, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const LOCATIONS: usize = 6_000;
const SKUS: usize = 400;
const LINES: i32 = 5;
const PLANS: usize = 20_000;
/// Of a hundred locations so many have a SKU.
const STOCKED_PERCENT: u32 = 60;
/// Where the made-up locations lie around, as (latitude, longitude) in microdegrees: the larger cities of China.
const CITIES: [(i32, i32); 12] = [
    (31_230_000, 121_470_000),
    (39_900_000, 116_400_000),
    (23_130_000, 113_260_000),
    (22_540_000, 114_060_000),
    (30_270_000, 120_150_000),
    (30_570_000, 104_070_000),
    (30_590_000, 114_300_000),
    (34_340_000, 108_940_000),
    (29_560_000, 106_550_000),
    (32_060_000, 118_800_000),
    (41_800_000, 123_430_000),
    (25_040_000, 102_710_000),
];
/// About a hundred kilometres.
const AROUND: i32 = 900_000;
const EXAMPLES: [&str; 6] = [
    include_str!("../rulesets/nearest.json"),
    include_str!("../rulesets/warehouse-first.json"),
    include_str!("../rulesets/store-clearance.json"),
    include_str!("../rulesets/same-city-two-hours.json"),
    include_str!("../rulesets/cost-to-serve.json"),
    include_str!("../rulesets/franchise-protection.json"),
];

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let mut random = StdRng::seed_from_u64(6);
    let atlas = Atlas::new(sites(&mut random, std::env::args().nth(1))?);
    let shelves = shelves(&mut random, &atlas)?;
    let orders = orders(&mut random)?;
    let mut figures = BTreeMap::new();
    for example in EXAMPLES {
        let rules: Rules = serde_json::from_str(example)?;
        let name = rules.name.replace('-', "_");
        let ruleset = Ruleset::new(1, rules);
        let mut taken = measure(&ruleset, &atlas, &shelves, &orders);
        taken.sort_unstable();
        let at = |percent: usize| taken.get(taken.len().saturating_mul(percent).div_euclid(100)).copied().unwrap_or(0);
        figures.insert(format!("{name}_p50_us"), at(50).div_euclid(1_000));
        figures.insert(format!("{name}_p99_us"), at(99).div_euclid(1_000));
    }
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&figures)?)?)
}

/// Nanoseconds of each plan.
fn measure(ruleset: &Ruleset, atlas: &Atlas, shelves: &Shelves, orders: &[Request]) -> Vec<u128> {
    let (reach, loads) = (Reach::new(), Loads::default());
    let now = Moment { at: Timestamp::EPOCH.plus_seconds(1_800_000_000), zone: Shanghai };
    let snapshot = Snapshot { ruleset, atlas, shelves, reach: &reach, loads: &loads, now };
    let mut taken = Vec::with_capacity(orders.len());
    for order in orders {
        let order = order.clone();
        let began = Instant::now();
        std::hint::black_box(plan(order, &snapshot));
        taken.push(began.elapsed().as_nanos());
    }
    taken
}

fn near(random: &mut StdRng, (latitude, longitude): (i32, i32)) -> GeoPoint {
    let mut off = || random.random_range(-AROUND..=AROUND);
    GeoPoint::from_microdegrees(latitude.saturating_add(off()), longitude.saturating_add(off()))
}

fn city(random: &mut StdRng) -> (usize, (i32, i32)) {
    let number = random.random_range(0..CITIES.len());
    (number, CITIES.get(number).copied().unwrap_or_default())
}

fn sites(random: &mut StdRng, file: Option<String>) -> Fallible<Vec<Site>> {
    let mut points: Vec<GeoPoint> = Vec::new();
    if let Some(file) = file {
        let mut rows = csv::Reader::from_path(file)?;
        for row in rows.deserialize::<BTreeMap<String, String>>() {
            let row = row?;
            let degrees = |name: &str| row.get(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
            points.push(GeoPoint::new(degrees("latitude"), degrees("longitude"))?);
        }
    }
    while points.len() < LOCATIONS {
        let (_, around) = city(random);
        points.push(near(random, around));
    }
    let site = |(number, point): (usize, GeoPoint)| {
        let kind = if number.is_multiple_of(200) { LocationKind::Warehouse } else { LocationKind::Store };
        Ok(Site {
            code: format!("L{number:05}").parse()?,
            point,
            priority: 100,
            ships: true,
            hands_over: true,
            takes_in: false,
            active: true,
            kind,
            franchised: number.is_multiple_of(3),
            place: place(number.rem_euclid(CITIES.len())),
            groups: BTreeSet::new(),
            schedule: Schedule::default(),
            daily_capacity: None,
        })
    };
    points.into_iter().take(LOCATIONS).enumerate().map(site).collect()
}

fn place(city: usize) -> Place {
    let name = |what: &str| Some(format!("{what} {city}"));
    Place { province: name("province"), city: name("city"), adcode: None }
}

fn sku(number: usize) -> Fallible<SkuCode> {
    Ok(format!("S{number:04}").parse()?)
}

fn shelves(random: &mut StdRng, atlas: &Atlas) -> Fallible<Shelves> {
    let mut shelves = Shelves::new();
    for number in 0..SKUS {
        let shelf = shelves.entry(sku(number)?).or_default();
        for slot in 0..atlas.len() {
            if random.random_ratio(STOCKED_PERCENT, 100) {
                shelf.set(slot, random.random_range(1..20));
            }
        }
    }
    Ok(shelves)
}

fn orders(random: &mut StdRng) -> Fallible<Vec<Request>> {
    let order = |_| {
        let (number, around) = city(random);
        let line = |line_no: i32| {
            let quantity = random.random_range(1..4_i64).try_into()?;
            Ok(Line { line_no, sku: sku(random.random_range(0..SKUS))?, quantity, parts: Vec::new() })
        };
        let lines = (1..=LINES).map(line).collect::<Fallible<Vec<Line>>>()?;
        Ok(Request {
            channel: "tmall".parse()?,
            placed_at: Timestamp::EPOCH,
            kind: FulfilmentKind::Ship,
            to: Some(near(random, around)),
            place: place(number),
            pickup: None,
            lines,
            amount: None,
            whole: false,
            excluded: BTreeSet::new(),
            allowed: BTreeMap::new(),
            claim: None,
            redirected_by: None,
        })
    };
    (0..PLANS).map(order).collect()
}
