use std::collections::HashSet;

use wire::schema::{Kind, Pattern, Service, Shape};

const MODELS: [&Service; 4] = [
    &crate::iam_shapes::SERVICE,
    &crate::lambda_shapes::SERVICE,
    &crate::logs_shapes::SERVICE,
    &crate::sts_shapes::SERVICE,
];

/// Every shape that operations reach.
fn shapes() -> Vec<&'static Shape> {
    let mut seen = HashSet::new();
    let mut todo: Vec<&'static Shape> = MODELS
        .iter()
        .flat_map(|model| model.operations)
        .flat_map(|operation| [operation.input, operation.output])
        .collect();
    let mut shapes = Vec::new();
    while let Some(shape) = todo.pop() {
        if !seen.insert(std::ptr::from_ref(shape)) {
            continue;
        }
        shapes.push(shape);
        match &shape.kind {
            Kind::Structure(structure) => todo.extend(structure.members.iter().map(|member| member.shape)),
            Kind::List { member, .. } => todo.push(member),
            Kind::Map { key, value, .. } => todo.extend([key, value]),
            _ => {}
        }
    }
    shapes
}

fn patterns() -> impl Iterator<Item = (&'static str, &'static Pattern)> {
    shapes().into_iter().filter_map(|shape| match &shape.kind {
        Kind::String { pattern, .. } => pattern.as_ref().map(|pattern| (shape.name, pattern)),
        _ => None,
    })
}

#[test]
fn every_pattern_compiles() {
    let broken: Vec<_> = patterns().filter(|(_, pattern)| !pattern.compiles()).collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(patterns().count() > 50);
}

#[test]
fn no_pattern_is_slow_on_hostile_text() {
    for text in ["a".repeat(20_000), "arn:aws:".repeat(2_000), "-".repeat(20_000), "/a".repeat(10_000)] {
        for (_, pattern) in patterns() {
            // Bounded by backtracking steps: this returns, whatever it says.
            pattern.matches(&text);
        }
    }
}

#[test]
fn operations_and_errors_are_found_by_name() {
    for model in MODELS {
        for operation in model.operations {
            assert_eq!(model.operation(operation.name).map(|found| found.name), Some(operation.name));
            for code in operation.errors {
                assert!(model.error(code).is_some(), "{} {code}", model.name);
            }
        }
        for error in model.errors {
            assert_eq!(model.error(error.code).map(|found| found.shape), Some(error.shape));
        }
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    let credentials =
        crate::sts_shapes::Credentials { secret_access_key: "open sesame".into(), ..Default::default() };
    let text = format!("{credentials:?}");
    assert!(text.contains("secret_access_key: (hidden)") && !text.contains("sesame"), "{text}");
}
