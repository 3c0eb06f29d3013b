//! The services this binary can run: a closed list.

use std::str::FromStr;

use bus::Topology;
use service::Descriptor;

/// Every service, the gateway first: it is what people look for.
pub const ALL: [Descriptor; 6] = [
    gateway::DESCRIPTOR,
    product::DESCRIPTOR,
    inventory::DESCRIPTOR,
    order::DESCRIPTOR,
    member::DESCRIPTOR,
    rebate::DESCRIPTOR,
];

/// The names of all services.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|descriptor| descriptor.name).collect()
}

/// Who hears what, whichever services run here.
pub fn topology() -> Topology {
    Topology::of(ALL.iter().flat_map(|descriptor| descriptor.hears))
}

/// A choice of services.
#[derive(Clone, Debug)]
pub struct Selection(Vec<&'static str>);

impl Selection {
    /// The chosen services.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static Descriptor> {
        const EVERY: &[Descriptor] = &ALL;
        EVERY.iter().filter(|descriptor| self.0.contains(&descriptor.name))
    }

    /// Whether every service is chosen.
    pub fn is_all(&self) -> bool {
        self.0.len() == ALL.len()
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(names()));
        }
        let mut chosen = Vec::new();
        for part in text.split(',').map(str::trim) {
            let known = names().into_iter().find(|name| *name == part);
            let name = known.ok_or_else(|| format!("`{part}` is none of: all, {}", names().join(", ")))?;
            if !chosen.contains(&name) {
                chosen.push(name);
            }
        }
        Ok(Self(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_means_every_service() {
        assert!("all".parse::<Selection>().unwrap().is_all());
    }

    #[test]
    fn an_unknown_name_is_told_apart_from_the_known_ones() {
        let fault = "order,shop".parse::<Selection>().unwrap_err();
        assert!(fault.contains("`shop`") && fault.contains("inventory"), "{fault}");
    }
}
