//! The rules of each bus as events meet them: read once, kept in memory, and found by what they need.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use domain::Scope;
use pattern::{Need, Pattern, Test, values_at};
use serde_json::Value;
use store::{Scan, Snapshot};

use crate::arn::{BusRef, rule_arn};
use crate::record::{RULES, RuleRecord};

/// Every bus's rules.
#[derive(Default)]
pub(crate) struct Rules {
    by_bus: RwLock<HashMap<(Scope, String), Arc<OfBus>>>,
}

/// The enabled rules with a pattern of one bus.
#[derive(Default)]
pub(crate) struct OfBus {
    rules: Vec<Arc<Rule>>,
    /// By a path into events at which the rule needs something.
    by_path: HashMap<Path, AtPath>,
    /// Those that need nothing: alternatives, and what must not be there.
    others: Vec<usize>,
}

/// The names that lead to a field of events.
type Path = Box<[Box<str>]>;

/// Rules by what they need at one path.
#[derive(Default)]
struct AtPath {
    /// By texts there.
    by_text: HashMap<Box<str>, Vec<usize>>,
    /// Each with a test of its own.
    tested: Vec<(Test, usize)>,
}

/// As many rules may be found by one text; beyond, a test of a rule's own costs less than comparing the whole rule.
const FOUND_BY_TEXT_MAX: usize = 8;

/// One rule, ready to be compared with events.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) record: RuleRecord,
    pattern: Pattern,
}

impl Rules {
    /// The rules of a bus, read if this is the first look.
    pub(crate) fn of(&self, snapshot: &Snapshot<'_>, bus: &BusRef) -> Result<Arc<OfBus>, store::Error> {
        let key = (bus.scope.clone(), bus.name.clone());
        if let Some(found) = self.by_bus.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(found));
        }
        let read = Arc::new(OfBus::read(snapshot, bus)?);
        self.by_bus.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&read));
        Ok(read)
    }

    /// A rule of the bus changes: whoever looks next reads them anew. Only inside of the transaction that changes it, so
    /// that nobody keeps what was before.
    pub(crate) fn forget(&self, bus: &BusRef) {
        let mut by_bus = self.by_bus.write().unwrap_or_else(PoisonError::into_inner);
        by_bus.remove(&(bus.scope.clone(), bus.name.clone()));
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.by_bus.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl OfBus {
    fn read(snapshot: &Snapshot<'_>, bus: &BusRef) -> Result<Self, store::Error> {
        let mut found = Self::default();
        for ((_, _, name), record) in snapshot.scan(&RULES, &Scan::prefix((&bus.scope, bus.name.as_str())))? {
            found.add(bus, name, record);
        }
        Ok(found)
    }

    fn add(&mut self, bus: &BusRef, name: String, record: RuleRecord) {
        let Some(text) = record.pattern.as_deref().filter(|_| record.enabled && !record.targets.is_empty())
        else {
            return;
        };
        // It was checked before it was stored.
        let Ok(pattern) = Pattern::parse(text) else { return };
        let index = self.rules.len();
        let needs = pattern.needs();
        // A source that all rules of a bus name tells nothing.
        let rarest = needs
            .iter()
            .filter_map(|need| Some((self.found_by(need)?, need)))
            .min_by_key(|(count, _)| *count);
        let tested = needs.iter().find(|need| need.texts().is_none());
        match (rarest, tested) {
            (Some((_, need)), None) => self.find_by_text(need, index),
            (Some((count, need)), Some(_)) if count <= FOUND_BY_TEXT_MAX => self.find_by_text(need, index),
            (_, Some(need)) => self.at_path(need).tested.push((need.test(), index)),
            (None, None) => self.others.push(index),
        }
        let arn = rule_arn(&bus.scope, &bus.name, &name);
        self.rules.push(Arc::new(Rule { name, arn, record, pattern }));
    }

    fn at_path(&mut self, need: &Need<'_>) -> &mut AtPath {
        self.by_path.entry(path_of(need)).or_default()
    }

    fn find_by_text(&mut self, need: &Need<'_>, index: usize) {
        let by_text = &mut self.at_path(need).by_text;
        for text in need.texts().into_iter().flatten() {
            by_text.entry(text.into()).or_default().push(index);
        }
    }

    /// How many rules are found by one of the texts, and how many texts there are; nothing if other things are needed.
    fn found_by(&self, need: &Need<'_>) -> Option<usize> {
        let texts = need.texts()?;
        let at_path = self.by_path.get(&path_of(need));
        let found = |text: &str| at_path.and_then(|at_path| at_path.by_text.get(text)).map_or(0, Vec::len);
        Some(texts.into_iter().map(|text| 1 + found(text)).sum())
    }

    /// The rules that want an event, in the order of their names.
    pub(crate) fn matching<'a>(&'a self, event: &'a Value) -> impl Iterator<Item = &'a Arc<Rule>> {
        let mut candidates = self.others.clone();
        for (path, at_path) in &self.by_path {
            let values = values_at(event, path);
            let texts = values.iter().filter_map(|value| value.as_str());
            candidates.extend(texts.filter_map(|text| at_path.by_text.get(text)).flatten());
            let tested = at_path.tested.iter().filter(|(test, _)| test.passes(&values));
            candidates.extend(tested.map(|(_, index)| *index));
        }
        candidates.sort_unstable();
        // A rule may be found by more than one of its texts.
        candidates.dedup();
        candidates.into_iter().map(|index| &self.rules[index]).filter(|rule| rule.pattern.matches(event))
    }
}

fn path_of(need: &Need<'_>) -> Path {
    need.path.iter().map(|name| Box::from(*name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(pattern: &str) -> RuleRecord {
        let target = crate::record::TargetRecord {
            id: "t".to_owned(),
            arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
            role_arn: None,
            input: crate::record::Input::Event,
            group_id: None,
            retries: None,
            age_seconds: None,
            dead_letter: None,
        };
        RuleRecord {
            pattern: Some(pattern.to_owned()),
            schedule: None,
            enabled: true,
            description: None,
            role_arn: None,
            tags: Default::default(),
            targets: vec![target],
            created_by: String::new(),
            since: domain::Timestamp(0),
            fired: None,
        }
    }

    fn bus_of<'a>(patterns: impl IntoIterator<Item = (&'a str, &'a str)>) -> OfBus {
        let bus = BusRef { scope: Scope::default(), name: "default".to_owned() };
        let mut rules = OfBus::default();
        for (name, pattern) in patterns {
            rules.add(&bus, name.to_owned(), rule(pattern));
        }
        rules
    }

    fn names(rules: &OfBus, event: &Value) -> Vec<String> {
        rules.matching(event).map(|rule| rule.name.clone()).collect()
    }

    #[test]
    fn rules_are_found_by_text_and_without() {
        let mut rules = bus_of([
            ("detail", r#"{"detail":{"n":[1]}}"#),
            ("named", r#"{"source":["a","a"]}"#),
            ("one of two", r#"{"resources":["x","y"]}"#),
            ("or", r#"{"$or":[{"source":["a"]},{"detail":{"n":[2]}}]}"#),
            ("other", r#"{"source":["b"]}"#),
            ("prefix", r#"{"source":[{"prefix":"a"}]}"#),
        ]);
        let bus = BusRef { scope: Scope::default(), name: "default".to_owned() };
        rules.add(&bus, "off".to_owned(), RuleRecord { enabled: false, ..rule(r#"{"source":["a"]}"#) });
        let names = |event: Value| names(&rules, &event);
        assert_eq!(names(json!({"source": "a", "detail": {"n": 1}})), ["detail", "named", "or", "prefix"]);
        assert_eq!(names(json!({"source": "b", "detail": {}})), ["other"]);
        assert_eq!(names(json!({"source": "c", "detail": {"n": 2}})), ["or"]);
        assert_eq!(names(json!({"source": "c", "resources": ["y", "x"]})), ["one of two"]);
    }

    #[test]
    fn what_all_rules_name_is_not_what_they_are_found_by() {
        let patterns: Vec<(String, String)> = (0..100)
            .map(|n| {
                (
                    n.to_string(),
                    format!(r#"{{"source":["s"],"detail-type":["t"],"detail":{{"id":["{n}"]}}}}"#),
                )
            })
            .collect();
        let rules = bus_of(patterns.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str())));
        let longest = rules.by_path.values().flat_map(|at| at.by_text.values()).map(Vec::len).max();
        assert_eq!((longest, rules.others.len()), (Some(1), 0));
        let event = json!({"source": "s", "detail-type": "t", "detail": {"id": "7"}});
        assert_eq!(names(&rules, &event), ["7"]);
    }

    #[test]
    fn rules_told_apart_by_tests_are_found_by_those() {
        let patterns: Vec<(String, String)> = (0..100)
            .map(|n| {
                (
                    format!("{n:02}"),
                    format!(r#"{{"source":["s"],"detail":{{"id":[{{"prefix":"{n:02}-"}}]}}}}"#),
                )
            })
            .collect();
        let rules = bus_of(patterns.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str())));
        let by_text: usize = rules.by_path.values().flat_map(|at| at.by_text.values()).map(Vec::len).sum();
        assert_eq!(by_text, FOUND_BY_TEXT_MAX);
        for id in ["03", "73"] {
            assert_eq!(names(&rules, &json!({"source": "s", "detail": {"id": format!("{id}-x")}})), [id]);
        }
        assert!(names(&rules, &json!({"source": "t", "detail": {"id": "73-x"}})).is_empty());
    }
}
