use super::*;
use crate::go::json;
use crate::limits::Limits;
use crate::source::{OriginId, Origins, SourceId, Span};
use crate::value::Value;

fn parsed(text: &str) -> Result<Node, Error> {
    parse(text.as_bytes(), SourceId::new(0, 0), 0)
}

fn spans(text: &str, node: &Node) -> String {
    text[node.span.start as usize..node.span.end as usize].to_owned()
}

#[test]
fn spans_are_the_values_own_bytes() {
    let text = "# head\na: \"x\\ny\"   # c\nb:\n- 1\n- k: [2, 3]\n  l: |\n    text\n\nc:\nd: &x v\ne: *x\n";
    let node = parsed(text).unwrap();
    let at = |path: &str| spans(text, Path::parse(path).get(&node).unwrap());
    assert_eq!(at("a"), "\"x\\ny\"");
    assert_eq!(at("b"), "- 1\n- k: [2, 3]\n  l: |\n    text");
    assert_eq!(at("b[1].k"), "[2, 3]");
    assert_eq!(at("b[1].l"), "|\n    text");
    assert_eq!(at("c"), "");
    assert_eq!(at("d"), "v");
    assert_eq!(at("e"), "*x");
    let alias = node.get("e").unwrap();
    assert_eq!(alias.as_str(), Some("v"));
    assert_eq!(alias.anchor, Some(node.get("d").unwrap().span));
    assert_eq!(node.get("a").unwrap().style, Style::DoubleQuoted);
}

#[test]
fn merge_keys_overwrite_earlier_keys() {
    let node = parsed("x: &x {a: 1, b: 2}\nz: {b: 3, <<: *x, a: 4}\n").unwrap();
    let y = node.get("z").unwrap();
    assert_eq!(
        (y.get("a").unwrap().as_i64(), y.get("b").unwrap().as_i64()),
        (Some(4), Some(2))
    );
}

#[test]
fn comments_have_spans() {
    let text =
        "a: 1 # one\n# two\nb: | # three\n  # no comment\n--- # four\na: b: c\n# lost\n---\n# five";
    let found: Vec<&str> = comments(text.as_bytes())
        .into_iter()
        .map(|range| &text[range])
        .collect();
    assert_eq!(found, ["# one", "# two", "# three", "# four", "# five"]);
}

/// Each byte of a text as the letter of its origin; `.` for none.
fn letters(value: &Value, letters: &[(OriginId, char)]) -> String {
    let text = value.as_text().unwrap();
    let whole = crate::source::Piece {
        start: 0,
        end: text.bytes.len() as u32,
        origin: value.origin,
    };
    let pieces = if text.pieces.is_some() {
        text.pieces()
    } else {
        &[whole][..]
    };
    let letter = |at: usize| {
        let piece = pieces
            .iter()
            .find(|piece| (piece.start as usize..piece.end as usize).contains(&at));
        piece
            .and_then(|piece| letters.iter().find(|(origin, _)| *origin == piece.origin))
            .map_or('.', |(_, letter)| *letter)
    };
    (0..text.bytes.len()).map(letter).collect()
}

#[test]
fn origins_go_through_text_and_back() {
    let mut origins = Origins::default();
    let mut origin = |at| {
        origins.add(crate::source::Origin::Data(Span::new(
            SourceId::new(0, 0),
            at,
            at + 1,
        )))
    };
    let (k, v, w) = (origin(0), origin(1), origin(2));
    let known = [(k, 'k'), (v, 'v'), (w, 'w')];
    let mut text = crate::value::TextBuilder::default();
    text.push(b"key", k);
    text.push(b": ", OriginId::NONE);
    text.push(b"one", v);
    text.push(b"-two", w);
    text.push(b"\nlist: [\"a\\tb\", ", OriginId::NONE);
    text.push(b"12", v);
    text.push(b"]", OriginId::NONE);
    let text = text.finish();
    let read = value_from_text(
        text.as_text().unwrap(),
        text.origin,
        &mut origins,
        &Limits::default(),
        &mut usize::MAX.clone(),
    )
    .unwrap();
    let out = emit(&read, &mut origins).unwrap();
    assert_eq!(
        out.as_text().unwrap().to_str(),
        "key: one-two\nlist:\n- \"a\\tb\"\n- 12\n"
    );
    assert_eq!(letters(&out, &known).get(..13), Some("kkk..vvvwwww."));
    assert!(letters(&out, &known).ends_with("vv."));
    let json = json::write(&read, json::Layout::Compact, &mut origins).unwrap();
    assert_eq!(
        json.as_text().unwrap().to_str(),
        r#"{"key":"one-two","list":["a\tb",12]}"#
    );
    assert_eq!(letters(&json, &known).get(..18), Some(".kkkkk.vvvvwwwww.."));
    let again = json::read(json.as_text().unwrap(), json.origin, &mut origins).unwrap();
    let value = again.as_map().unwrap().get(b"key").unwrap();
    assert_eq!(letters(&value, &known), "vvvwwww");
}

#[test]
fn utf_16_is_read_with_its_own_spans() {
    let written = "\u{feff}a: \"é\u{1f600}\"\nb: [x]\n";
    for big in [false, true] {
        let bytes = |unit: u16| match big {
            true => unit.to_be_bytes(),
            false => unit.to_le_bytes(),
        };
        let text: Vec<u8> = written.encode_utf16().flat_map(bytes).collect();
        let node = parse(&text, SourceId::new(0, 0), 7).unwrap();
        let a = node.get("a").unwrap();
        assert_eq!(a.as_str(), Some("é\u{1f600}"));
        assert_eq!((a.span.start - 7, a.span.end - 7), (8, 18));
        let x = &node.get("b").unwrap().items()[0];
        assert_eq!((x.span.start - 7, x.span.end - 7), (28, 30));
        let error = parse(&text[..text.len() - 6], SourceId::new(0, 0), 0).unwrap_err();
        assert_eq!(error.span.start as usize, text.len() - 6);
    }
}

#[test]
fn hostile_documents_are_refused() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "a: &a [".repeat(9_000),
    ] {
        assert!(parsed(&text).is_err());
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let item = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", [&*item; 9].join(", "));
    }
    assert_eq!(
        parsed(&bomb).unwrap_err().message,
        "yaml: document contains excessive aliasing"
    );
}

#[test]
fn values_that_contain_themselves_are_refused() {
    crate::threads::deep(|| {
        let map = Value::map(crate::value::MapData::default());
        map.as_map().unwrap().insert(b"self", map.clone());
        let mut origins = Origins::default();
        assert!(emit(&map, &mut origins).is_err() && emit_pretty(&map, &mut origins).is_err());
        assert!(json::write(&map, json::Layout::Compact, &mut origins).is_err());
        // Break the cycle, which would keep the map alive.
        map.as_map().unwrap().0.borrow_mut().entries.clear();
    });
}
