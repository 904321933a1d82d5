//! Values in other clothes: each of these reads compact JSON text as the servers before this one read it.

/// `"12"` and `12.7` are 12. A number that does not fit into 64 bits is not an integer.
pub(super) fn integer(json: &str) -> Option<i64> {
    if json.starts_with('"') {
        return string(json)?.trim().parse().ok();
    }
    json.parse().ok().or_else(|| {
        let number = number(json)?.trunc();
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        (number.abs() < 9.0e18).then_some(number as i64)
    })
}

/// `"yes"`, `"on"` and 1 are true.
pub(super) fn boolean(json: &str) -> Option<bool> {
    if json.starts_with('"') {
        return match string(json)?.to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
            "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
            _ => None,
        };
    }
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => match number(json)? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
    }
}

/// `"1h30m"`, `"2d"` and `"90s"`, and everything that is an integer, as seconds.
pub(super) fn seconds(json: &str) -> Option<i64> {
    string(json).and_then(|text| duration(&text)).or_else(|| integer(json))
}

/// The text that a JSON string holds.
pub(super) fn string(json: &str) -> Option<String> {
    json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten()
}

/// Rust also reads words such as `inf`, which are no JSON.
fn number(json: &str) -> Option<f64> {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| json.parse().ok()).flatten()
}

fn duration(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].chars().next()? {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest[digits + 1..].trim_start();
    }
    (!text.trim().is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_come_as_text_and_booleans_are_none() {
        for (json, number) in [("12", 12), (r#""12""#, 12), ("12.7", 12), ("-1", -1), ("1e3", 1000)]
        {
            assert_eq!(integer(json), Some(number), "{json}");
        }
        for json in ["true", r#""x""#, "1e999", "99999999999999999999", "[1]", r#""1.5""#] {
            assert_eq!(integer(json), None, "{json}");
        }
    }

    #[test]
    fn words_and_two_numbers_are_booleans() {
        for (json, truth) in [("true", true), (r#""Yes""#, true), ("1.0", true), ("0", false)] {
            assert_eq!(boolean(json), Some(truth), "{json}");
        }
        for json in ["2", r#""perhaps""#, "[]", "{}"] {
            assert_eq!(boolean(json), None, "{json}");
        }
    }

    #[test]
    fn durations_are_seconds() {
        for (text, time) in
            [("1h30m", 5400), ("2d", 172_800), ("90s", 90), ("1d 2h", 93_600), ("5", 5)]
        {
            assert_eq!(seconds(&format!("{text:?}")), Some(time), "{text}");
        }
        assert_eq!(seconds("7"), Some(7));
        for text in ["", "soon", "h", "1w", "99999999999999999999d"] {
            assert_eq!(seconds(&format!("{text:?}")), None, "{text}");
        }
    }
}
