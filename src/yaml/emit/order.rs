//! The order of keys in emitted YAML: numbers in keys are compared by value, and symbols come
//! before letters.
//!
//! go-yaml's comparison is not transitive (a10 < a1b < a2 < a10), and `slice::sort_by` may panic
//! with such a comparison. So keys in bytewise order are merge-sorted, which always gives the same
//! result.

use super::dialect::Dialect;
use std::borrow::Cow;
use std::sync::LazyLock;

static LETTER: LazyLock<regex::Regex> =
    LazyLock::new(|| regex::Regex::new(r"^\p{L}").expect("a valid class"));
static DIGIT: LazyLock<regex::Regex> =
    LazyLock::new(|| regex::Regex::new(r"^\p{Nd}").expect("a valid class"));

fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        LETTER.is_match(c.encode_utf8(&mut [0; 4]))
    }
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        DIGIT.is_match(c.encode_utf8(&mut [0; 4]))
    }
}

/// Whether key `a` is emitted before key `b`.
fn less(a: &str, b: &str, dialect: Dialect) -> bool {
    let common = a
        .char_indices()
        .zip(b.chars())
        .find(|((_, x), y)| x != y)
        .map(|((i, _), _)| i);
    let Some(common) = common else {
        return a.len() < b.len();
    };
    let (rest_a, rest_b) = (&a[common..], &b[common..]);
    let (Some(x), Some(y)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return a.len() < b.len();
    };
    let before = &a[..common];
    match (is_letter(x), is_letter(y)) {
        (true, true) => return x < y,
        (false, false) => {}
        (letter, other) => {
            // In go-yaml v3 a letter ends a number: a1 < a1b < a2.
            let after_digit =
                dialect == Dialect::V3 && before.chars().next_back().is_some_and(is_digit);
            return if after_digit { letter } else { other };
        }
    }
    // A zero inside a number is one of its digits, not the start of a shorter number.
    let inside = (x == '0' || y == '0')
        && before
            .chars()
            .rev()
            .take_while(|&c| is_digit(c))
            .any(|c| c != '0');
    let (number_a, digits_a) = leading_number(rest_a, inside);
    let (number_b, digits_b) = leading_number(rest_b, inside);
    if number_a != number_b {
        return number_a < number_b;
    }
    if digits_a != digits_b {
        return digits_a < digits_b;
    }
    x < y
}

/// The value of the leading digits (with overflow as in Go) and their number.
fn leading_number(text: &str, inside: bool) -> (i64, usize) {
    let digits = text.chars().take_while(|&c| is_digit(c));
    digits.fold((i64::from(inside), 0), |(value, count), c| {
        (
            value
                .wrapping_mul(10)
                .wrapping_add(i64::from(c as u32) - i64::from('0' as u32)),
            count + 1,
        )
    })
}

/// Sorts entries that come in bytewise order of their keys, with a stable merge sort.
pub(super) fn sort<T: Copy>(
    entries: Vec<T>,
    key: impl Fn(&T) -> &[u8],
    dialect: Dialect,
) -> Vec<T> {
    let keys: Vec<Cow<str>> = entries
        .iter()
        .map(|entry| String::from_utf8_lossy(key(entry)))
        .collect();
    let mut order: Vec<u32> = (0..entries.len() as u32).collect();
    let before = |a: u32, b: u32| less(&keys[a as usize], &keys[b as usize], dialect);
    if order.windows(2).all(|pair| !before(pair[1], pair[0])) {
        return entries;
    }
    let mut width = 1;
    let mut merged = Vec::with_capacity(order.len());
    while width < order.len() {
        for chunk in order.chunks(2 * width) {
            let (mut left, mut right) = chunk.split_at(width.min(chunk.len()));
            while let (Some(&l), Some(&r)) = (left.first(), right.first()) {
                if before(r, l) {
                    merged.push(r);
                    right = &right[1..];
                } else {
                    merged.push(l);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut order, &mut merged);
        merged.clear();
        width *= 2;
    }
    order.into_iter().map(|i| entries[i as usize]).collect()
}
