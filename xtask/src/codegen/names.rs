//! Rust names for the model's names.

/// `FunctionName` → `function_name`, `KMSKeyArn` → `kms_key_arn`, `CodeSha256` → `code_sha256`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (at, &letter) in chars.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !text.ends_with('_') && !text.is_empty() {
                text.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    // The last of a row of capitals begins the next word, unless it is only made plural: `ARNs`.
                    || (before.is_ascii_uppercase()
                        && after.is_some_and(|after| after.is_ascii_lowercase())
                        && !(after == Some(&'s') && chars.get(at + 2).is_none_or(|next| next.is_ascii_uppercase())))
            });
        if starts_word && !text.is_empty() && !text.ends_with('_') {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text.trim_end_matches('_').to_owned()
}

/// A field: snake case, escaped if it is a keyword.
pub fn field(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "type" | "match" | "move" | "ref" | "use" | "where" | "loop" | "in" | "for" | "if" | "else"
        | "mod" | "pub" | "enum" | "struct" | "static" | "const" | "final" | "override" | "virtual"
        | "async" | "await" | "dyn" => {
            format!("r#{name}")
        }
        "self" | "super" | "crate" => format!("{name}_"),
        _ => name,
    }
}

/// A static: `FUNCTION_NAME`.
pub fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// A type or variant: `statusType` → `StatusType`, `AT_TIMESTAMP` → `AtTimestamp`, `x86_64` → `X8664`.
pub fn pascal(name: &str) -> String {
    let text: String = name.split(|letter: char| !letter.is_ascii_alphanumeric()).map(capitalise).collect();
    match text.chars().next() {
        None => "Empty".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("V{text}"),
        // `Self` cannot be a variant.
        Some(_) if text == "Self" => "SelfValue".to_owned(),
        Some(_) => text,
    }
}

fn capitalise(word: &str) -> String {
    let shouted = !word.chars().any(|letter| letter.is_ascii_lowercase());
    let mut letters = word.chars();
    match letters.next() {
        None => String::new(),
        Some(first) => {
            let rest = letters.as_str();
            let rest = if shouted { rest.to_ascii_lowercase() } else { rest.to_owned() };
            format!("{}{rest}", first.to_ascii_uppercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_snake_case() {
        for (name, expected) in [
            ("FunctionName", "function_name"),
            ("KMSKeyArn", "kms_key_arn"),
            ("SourceKMSKeyArn", "source_kms_key_arn"),
            ("CodeSha256", "code_sha256"),
            ("S3ObjectVersion", "s3_object_version"),
            ("logGroupName", "log_group_name"),
            ("PolicyARNs", "policy_arns"),
            ("MFADevices", "mfa_devices"),
            ("Type", "r#type"),
        ] {
            assert_eq!(field(name), expected);
        }
    }

    #[test]
    fn variants_are_pascal_case() {
        for (value, expected) in [
            ("x86_64", "X8664"),
            ("AT_TIMESTAMP", "AtTimestamp"),
            ("RequestResponse", "RequestResponse"),
            ("FunctionError.InitTimeout", "FunctionErrorInitTimeout"),
            ("$LATEST", "Latest"),
            ("statusType", "StatusType"),
            ("JSON", "Json"),
            ("3.1", "V31"),
        ] {
            assert_eq!(pascal(value), expected);
        }
    }
}
