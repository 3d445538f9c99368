//! Functions that are random in Helm. Here the result has the right form and is the same in every
//! run: it depends on the seed of the call. All are volatile.

use super::arguments::{int, string};
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Value};

use Type::Int;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("randAlpha", &[Int], |call, a| {
        text(call, a, |b| b.is_ascii_alphabetic())
    })
    .volatile()
    .example("randAlpha 5 | kindOf", "string"),
    Function::new("randAlphaNum", &[Int], |call, a| {
        text(call, a, |b| b.is_ascii_alphanumeric())
    })
    .volatile()
    .example("randAlphaNum 5 | kindOf", "string"),
    Function::new("randAscii", &[Int], |call, a| {
        text(call, a, |b| (b' '..=b'~').contains(&b))
    })
    .volatile()
    .example("randAscii 5 | kindOf", "string"),
    Function::new("randBytes", &[Int], |call, a| {
        let count = usize::try_from(int(a, 0)?)
            .map_err(|_| "runtime error: makeslice: len out of range".to_string())?;
        call.afford(count.saturating_mul(2))?;
        let bytes = Random::new(call.seed).bytes(count);
        call.made_text(data_encoding::BASE64.encode(&bytes), a)
    })
    .volatile()
    .example("randBytes 16 | b64dec | len", "16"),
    Function::new("randInt", &[Int, Int], |call, a| {
        let (low, high) = (int(a, 0)?, int(a, 1)?);
        let range = high.wrapping_sub(low);
        if range <= 0 {
            return Err("invalid argument to Intn".into());
        }
        let chosen = low.wrapping_add((Random::new(call.seed).next() % range as u64) as i64);
        call.made(Kind::Int(chosen), a)
    })
    .volatile()
    .example("randInt 0 10 | kindOf", "int"),
    Function::new("randNumeric", &[Int], |call, a| {
        text(call, a, |b| b.is_ascii_digit())
    })
    .volatile()
    .example("randNumeric 5 | kindOf", "string"),
    Function::new("shuffle", &[Type::String], |call, a| {
        let s = string(a, 0)?.lossy();
        let mut chars: Vec<char> = s.chars().collect();
        let mut random = Random::new(call.seed);
        for i in (1..chars.len()).rev() {
            chars.swap(i, (random.next() % (i as u64 + 1)) as usize);
        }
        let shuffled: String = chars.into_iter().collect();
        call.made_text(shuffled, a)
    })
    .volatile()
    .example(r#"shuffle "abc" | len"#, "3"),
    Function::new("uuidv4", &[], |call, a| {
        let mut bytes = Random::new(call.seed).bytes(16);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        call.made_text(
            format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            ),
            a,
        )
    })
    .volatile()
    .example("uuidv4 | kindOf", "string"),
];

/// For a negative count goutils returns an error, which sprig drops.
fn text(call: &mut Call, arguments: &[Value], wanted: fn(u8) -> bool) -> Answer {
    let count = usize::try_from(int(arguments, 0)?).unwrap_or(0);
    call.afford(count)?;
    let alphabet: Vec<u8> = (b' '..=b'~').filter(|&b| wanted(b)).collect();
    let mut random = Random::new(call.seed);
    let chosen: Vec<u8> = (0..count)
        .map(|_| alphabet[(random.next() % alphabet.len() as u64) as usize])
        .collect();
    call.made_text(chosen, arguments)
}

/// splitmix64, a small pseudo-random generator. Nothing here is secret.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count + 8);
        while out.len() < count {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(count);
        out
    }
}
