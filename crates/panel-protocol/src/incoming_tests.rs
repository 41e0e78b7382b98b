//! Calls in every encoding that clients use, and in those that nobody should.

use interline_domain::{OrderId, RefillId};
use proptest::prelude::*;

use super::*;
use crate::command::{GivenId, GivenRefill};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn call<'a>(content_type: &'a str, query: &'a str, body: &'a [u8]) -> Incoming<'a> {
    Incoming { content_type: Some(content_type), query, body, authorization: None, cookies: "" }
}

fn form(body: &str) -> Parsed {
    parse(&call(FORM, "", body.as_bytes()))
}

fn json(body: &str) -> Parsed {
    parse(&call(JSON, "", body.as_bytes()))
}

fn query(query: &str) -> Parsed {
    let bare = Incoming { content_type: None, query, body: b"", authorization: None, cookies: "" };
    parse(&bare)
}

fn ids(texts: &[&str]) -> Vec<GivenId> {
    texts.iter().map(|text| GivenId::new(text)).collect()
}

fn refills(texts: &[&str]) -> Vec<GivenRefill> {
    texts.iter().map(|text| GivenRefill::new(text)).collect()
}

fn one(key: &str) -> Key {
    Key::One(key.to_owned())
}

fn add(service: &str, fields: &[(&str, &str)]) -> Command {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Command::Add { service: service.to_owned(), fields }
}

fn bad(text: &str) -> Result<Command, Refused> {
    Err(Refused::BadRequest(text.to_owned()))
}

#[test]
fn every_call_is_understood_in_a_form_and_in_a_query() {
    let order = &[("link", "https://a.example/p?x=1&y=2"), ("quantity", "100")];
    for (body, command) in [
        ("key=k&action=balance", Command::Balance),
        ("key=k&action=services", Command::Services),
        ("key=k&action=add&service=1&link=https%3A%2F%2Fa.example%2Fp%3Fx%3D1%26y%3D2&quantity=100", add("1", order)),
        ("key=k&action=status&order=23501", Command::Status(GivenId::new("23501"))),
        ("key=k&action=multiStatus&orders=1,2,3", Command::StatusMany(ids(&["1", "2", "3"]))),
        ("key=k&action=refill&order=1", Command::Refill(GivenId::new("1"))),
        ("key=k&action=refill&orders=1,2,3", Command::RefillMany(ids(&["1", "2", "3"]))),
        ("key=k&action=refill_status&refill=1", Command::RefillStatus(GivenRefill::new("1"))),
        ("key=k&action=refill_status&refills=1,2", Command::RefillStatusMany(refills(&["1", "2"]))),
        ("key=k&action=cancel&orders=9,2", Command::CancelMany(ids(&["9", "2"]))),
    ] {
        for parsed in [form(body), query(body), parse(&call(&format!("{FORM};charset=UTF-8"), "", body.as_bytes()))] {
            assert_eq!((&parsed.key, &parsed.command, parsed.unreadable), (&one("k"), &Ok(command.clone()), false));
        }
    }
}

#[test]
fn a_form_a_json_object_and_a_query_say_the_same() {
    let wanted = Ok(add("7", &[("link", "a+b c%"), ("quantity", "100")]));
    for body in [
        r#"{"key":"k","action":"add","service":7,"link":"a+b c%","quantity":100}"#,
        r#" {"KEY":"k","Action":" ADD ","service":"7","link":" a+b c% ","quantity":"100","runs":null,"interval":""}"#,
        r#"{"key":"k","action":"x","action":"add","service":7,"link":["a+b c%"],"quantity":100}"#,
        "key=k&action=add&service=7&link=a%2Bb+c%25&quantity=100",
        "key=k&action=Add&service=7&link=%20a%2bb%20c%&quantity=100&comments=&runs&&=",
        "action=x&service=8&KEY=k&Action=add&Service=7&LINK=a%2Bb+c%&quantity=100\r\n",
    ] {
        for content_type in [FORM, JSON, "text/plain"] {
            let parsed = parse(&call(content_type, "", body.as_bytes()));
            assert_eq!((&parsed.key, &parsed.command), (&one("k"), &wanted), "{content_type}: {body}");
        }
    }
}

#[test]
fn numbers_and_booleans_keep_their_own_text() {
    let parsed = json(r#"{"action":"add","service":0.10,"quantity":1e3,"runs":12345678901234567890123,"fast":true}"#);
    let fields = &[("quantity", "1e3"), ("runs", "12345678901234567890123"), ("fast", "true")];
    assert_eq!(parsed.command, Ok(add("0.10", fields)));
}

#[test]
fn the_body_wins_over_the_query() {
    let parsed = parse(&call(FORM, "action=balance&service=2&link=q&key=k", b"action=add&link=b&quantity="));
    assert_eq!((parsed.key, parsed.command), (one("k"), Ok(add("2", &[("link", "b")]))));
    // An empty value in the body is an absent one.
    assert_eq!(parse(&call(FORM, "action=balance", b"action=")).command, Ok(Command::Balance));
}

#[test]
fn a_list_of_lines_stays_lines() {
    let wanted = Ok(add("1", &[("comments", "good\nvery, very good")]));
    assert_eq!(form("action=add&service=1&comments[]=good&comments%5B%5D=very,+very+good").command, wanted);
    assert_eq!(json(r#"{"action":"add","service":1,"comments":["good","very, very good"]}"#).command, wanted);
}

#[test]
fn order_lists_are_read_in_every_spelling() {
    for orders in [
        "orders=1,99",
        "orders=1%2C99",
        "orders=+1+,+99+,",
        "orders=1,1,99,1",
        "orders=1+99",
        "orders[]=1&orders[]=99",
        "orders[0]=1&orders[1]=99",
        "orders%5B0%5D=1&orders%5B1%5D=99",
        "orders=1&orders=99",
        "order=1,99",
        "order[]=1&order[]=99",
        "order=7&orders=1,99",
    ] {
        for action in ["status", "multiStatus", "MULTISTATUS", "multi_status", "multi-status", "orders"] {
            let parsed = form(&format!("key=k&action={action}&{orders}"));
            assert_eq!(parsed.command, Ok(Command::StatusMany(ids(&["1", "99"]))), "{action} {orders}");
        }
        let parsed = form(&format!("key=k&action=cancel&{orders}"));
        assert_eq!(parsed.command, Ok(Command::CancelMany(ids(&["1", "99"]))), "{orders}");
        let parsed = form(&format!("key=k&action=refill&{orders}"));
        assert_eq!(parsed.command, Ok(Command::RefillMany(ids(&["1", "99"]))), "{orders}");
        let listed = orders.replacen("order", "refill", 2);
        for action in ["", "action=refill_status&", "action=refillStatus&", "action=Refill-Status&"] {
            let parsed = form(&format!("key=k&{action}{listed}"));
            assert_eq!(parsed.command, Ok(Command::RefillStatusMany(refills(&["1", "99"]))), "{action}{listed}");
        }
    }
    for orders in [r#""1,99""#, r#"["1","99"]"#, "[1,99]", "[ 1 , null, 99, 1 ]", r#"["1,99"]"#] {
        let parsed = json(&format!(r#"{{"key":"k","action":"status","orders":{orders}}}"#));
        assert_eq!(parsed.command, Ok(Command::StatusMany(ids(&["1", "99"]))), "{orders}");
    }
}

#[test]
fn one_order_is_answered_as_it_was_asked_for() {
    for (ask, command) in [
        ("action=status&order=5", Command::Status(GivenId::new("5"))),
        ("action=status&order=5,", Command::Status(GivenId::new("5"))),
        ("action=status&order=4&order=5", Command::Status(GivenId::new("5"))),
        ("action=status&orders=5", Command::StatusMany(ids(&["5"]))),
        ("action=multiStatus&order=5", Command::StatusMany(ids(&["5"]))),
        ("action=cancel&order=5", Command::Cancel(GivenId::new("5"))),
        ("action=cancel&orders=5", Command::CancelMany(ids(&["5"]))),
        ("action=refill&order=5", Command::Refill(GivenId::new("5"))),
        ("action=refill&orders=5", Command::RefillMany(ids(&["5"]))),
        ("action=refill_status&refill=5", Command::RefillStatus(GivenRefill::new("5"))),
        ("action=refill_status&refills=5", Command::RefillStatusMany(refills(&["5"]))),
        // What the old PHP class leaves out (`protocol.md` §1.3).
        ("refill=5", Command::RefillStatus(GivenRefill::new("5"))),
        ("refills=5", Command::RefillStatusMany(refills(&["5"]))),
        ("refills=1,Array", Command::RefillStatusMany(refills(&["1", "Array"]))),
    ] {
        assert_eq!(form(ask).command, Ok(command), "{ask}");
    }
    let parsed = json(r#"{"action":"status","orders":5}"#);
    assert_eq!(parsed.command, Ok(Command::StatusMany(ids(&["5"]))));
    assert_eq!(json(r#"{"action":"cancel","order":5}"#).command, Ok(Command::Cancel(GivenId::new("5"))));
}

#[test]
fn what_is_no_id_of_ours_is_kept_as_text() {
    assert_eq!(GivenId::new(" 23501 "), GivenId { text: "23501".to_owned(), id: Some(OrderId(23501)) });
    for text in ["0", "-1", "+1", "1.0", "2147483648", "ord_01HG", "Array", "١", ""] {
        assert_eq!(GivenId::new(text), GivenId { text: text.to_owned(), id: None });
    }
    assert_eq!(GivenRefill::new("7"), GivenRefill { text: "7".to_owned(), id: Some(RefillId(7)) });
    assert_eq!(GivenRefill::new("ref_01H").id, None);
    assert_eq!(form("action=status&orders=1,Array").command, Ok(Command::StatusMany(ids(&["1", "Array"]))));
}

#[test]
fn more_than_a_hundred_orders_are_refused() {
    let list = |last: usize| (1..=last).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let Ok(Command::StatusMany(hundred)) = form(&format!("action=status&orders={},1,100", list(100))).command else {
        panic!("a hundred are allowed");
    };
    assert_eq!((hundred.len(), hundred[99].id), (100, Some(OrderId(100))));
    for action in ["status", "multiStatus", "cancel", "refill"] {
        let text = "`orders` must be at most 100 ids";
        assert_eq!(form(&format!("action={action}&orders={}", list(101))).command, bad(text));
        let body = format!(r#"{{"action":"{action}","orders":[{}]}}"#, list(101));
        assert_eq!(json(&body).command, bad(text));
        assert_eq!(
            form(&format!("action={action}&order={}", list(101))).command,
            bad("`order` must be at most 100 ids")
        );
    }
    let refills = form(&format!("action=refill_status&refills={}", list(101)));
    assert_eq!(refills.command, bad("`refills` must be at most 100 ids"));
}

#[test]
fn a_question_about_a_status_is_seen_even_if_the_rest_cannot_be_read() {
    let many = (1..=101).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let too_many = format!("action=multiStatus&orders={many}");
    for (ask, asks_status) in [
        ("action=status&order=1", true),
        (too_many.as_str(), true),
        ("action=status", true),
        ("action=Status&orders=%FF", true),
        ("action=orders&orders=,", true),
        ("action=refill-status&order=1", true),
        ("refills=,", true),
        ("action=services&status=1", false),
        ("action=add&link=x", false),
        ("action=cancel&orders=", false),
        ("action=refill&order=%FF", false),
        ("action=%FF&order=1", false),
        ("action=stat&order=1", false),
        ("order=1", false),
        ("", false),
    ] {
        for parsed in [form(ask), query(ask)] {
            assert_eq!(parsed.asks_status, asks_status, "{ask}");
        }
    }
    // Of a body that cannot be read nothing is known; the query beside it still counts.
    let broken = br#"{"action":"status","orders":"#;
    for (query, asks_status) in [("", false), ("action=multiStatus", true), ("action=balance", false)] {
        let parsed = parse(&call(JSON, query, broken));
        assert_eq!((parsed.unreadable, parsed.asks_status), (true, asks_status), "{query}");
    }
}

#[test]
fn a_text_that_would_look_like_a_failed_call_is_no_id() {
    let refused = bad("`orders` must be ids of orders, and `error` is none");
    for ask in [
        "action=status&orders=error",
        "action=status&orders=1,Error,2",
        "action=status&order=1,error",
        "action=multiStatus&order=error",
        "action=orders&orders[]=1&orders[]=ERROR",
    ] {
        assert_eq!(form(ask).command, refused, "{ask}");
    }
    // Where it is no key of the answer, it is an id like every other text.
    assert_eq!(form("action=status&order=error").command, Ok(Command::Status(GivenId::new("error"))));
    assert_eq!(form("action=cancel&orders=1,error").command, Ok(Command::CancelMany(ids(&["1", "error"]))));
    assert_eq!(form("action=status&orders=1,errors").command, Ok(Command::StatusMany(ids(&["1", "errors"]))));
}

#[test]
fn a_bad_call_is_told_which_field_is_wrong() {
    let actions = "`action` must be one of services, balance, add, status, multiStatus, refill, refill_status, cancel";
    for (ask, text) in [
        ("", "`action` is missing"),
        ("action=+", "`action` is missing"),
        ("order=1", "`action` is missing"),
        ("action=steal", actions),
        ("orders=1,2", "`action` is missing"),
        ("refill=", "`action` is missing"),
        ("action=refill&refill=1", "`order` or `orders` is missing"),
        ("action=refill_status&order=1", "`refill` or `refills` is missing"),
        ("refills=,", "`refill` or `refills` is missing"),
        ("action=add&link=x", "`service` is missing"),
        ("action=add&service=&link=x", "`service` is missing"),
        ("action=status", "`order` or `orders` is missing"),
        ("action=status&order=,", "`order` or `orders` is missing"),
        ("action=cancel&orders=,+,", "`order` or `orders` is missing"),
        ("action=multiStatus&orders=", "`orders` is missing"),
    ] {
        let parsed = form(ask);
        assert_eq!((parsed.command, parsed.unreadable), (bad(text), false), "{ask}");
    }
    assert_eq!(json(r#"{"action":"status","orders":[]}"#).command, bad("`order` or `orders` is missing"));
}

#[test]
fn what_is_no_text_is_refused_and_not_mended() {
    for broken in ["%FF", "a%C3", "a%00b", "%ED%A0%80"] {
        let parsed = form(&format!("key=k&action=add&service=1&link={broken}"));
        assert_eq!(parsed.command, bad("`link` must be valid UTF-8 text without NUL"), "{broken}");
        assert_eq!(parsed.key, one("k"));
    }
    let raw = parse(&call(FORM, "", b"action=add&service=1&link=caf\xE9"));
    assert_eq!(raw.command, bad("`link` must be valid UTF-8 text without NUL"));
    for broken in [r#""\ud800""#, r#""a\u0000""#] {
        let parsed = json(&format!(r#"{{"action":"add","service":1,"link":{broken}}}"#));
        assert_eq!(parsed.command, bad("`link` must be valid UTF-8 text without NUL"), "{broken}");
    }
    let nested = json(r#"{"action":"add","service":1,"link":{"a":1}}"#);
    assert_eq!(nested.command, bad("`link` must be a text, a number or a list of them"));
    // Where nothing reads it, it does no harm.
    assert_eq!(form("action=balance&link=%FF&%FF=1").command, Ok(Command::Balance));
    // A legitimate replacement character is a character.
    assert_eq!(form("action=add&service=1&link=%EF%BF%BD").command, Ok(add("1", &[("link", "\u{fffd}")])));
}

#[test]
fn a_body_that_cannot_be_read_says_so() {
    let multipart = "multipart/form-data; boundary=x";
    let body = b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x--\r\n";
    let parsed = parse(&call(multipart, "", body));
    let text = "multipart bodies are not read: send application/x-www-form-urlencoded or application/json";
    assert_eq!((parsed.key, parsed.command, parsed.unreadable), (Key::Absent, bad(text), true));
    for broken in ["{", r#"{"action":"balance""#, r#"{"action":"balance"} x"#, "[1]", r#"{"action":}"#, "{1:2}"] {
        let parsed = parse(&call(FORM, "key=k&action=balance", broken.as_bytes()));
        let Err(Refused::BadRequest(text)) = parsed.command else { panic!("{broken} was read") };
        assert!(text.starts_with("the body cannot be read as JSON: "), "{text}");
        assert_eq!((parsed.key, parsed.unreadable), (one("k"), true));
    }
    let latin = parse(&call(JSON, "", b"{\"action\":\"caf\xE9\"}"));
    assert_eq!(latin.command, bad("the body is not valid UTF-8"));
    // An empty body of any type is no body.
    assert_eq!(parse(&call(multipart, "action=balance", b"")).command, Ok(Command::Balance));
}

#[test]
fn there_is_a_limit_on_parameters() {
    let form_of = |count: usize| format!("action=balance{}", "&x=1".repeat(count));
    assert_eq!(form(&form_of(999)).command, Ok(Command::Balance));
    assert_eq!(form(&form_of(1_000)).command, bad("there must be at most 1000 parameters"));
    let list = format!(r#"{{"action":"balance","orders":[1{}]}}"#, ",1".repeat(1_000));
    let Err(Refused::BadRequest(text)) = json(&list).command else { panic!("a list without an end was read") };
    assert!(text.contains("at most 1000 parameters"), "{text}");
}

#[test]
fn a_key_is_found_in_each_place() {
    let bare = Incoming { content_type: None, query: "", body: b"", authorization: None, cookies: "" };
    for (incoming, key) in [
        (bare, Key::Absent),
        (Incoming { body: b"key=k", ..bare }, one("k")),
        (Incoming { body: b"key=+k+&key=k", ..bare }, one("k")),
        (Incoming { body: br#"{"key":"k"}"#, ..bare }, one("k")),
        (Incoming { body: br#"{"key":17}"#, ..bare }, one("17")),
        (Incoming { query: "key=k", ..bare }, one("k")),
        (Incoming { authorization: Some("Bearer k"), ..bare }, one("k")),
        (Incoming { authorization: Some("bearer  k "), ..bare }, one("k")),
        (Incoming { authorization: Some("Basic azprCg=="), ..bare }, Key::Absent),
        (Incoming { authorization: Some("Bearer"), ..bare }, Key::Absent),
        (Incoming { cookies: "a=b; key=k; keys=x", ..bare }, one("k")),
        (Incoming { cookies: "a=key", ..bare }, Key::Absent),
        (
            Incoming { body: b"key=k", query: "key=k", authorization: Some("Bearer k"), cookies: "key=k", ..bare },
            one("k"),
        ),
        (
            Incoming { body: b"key=", query: "key=+", authorization: Some("Bearer "), cookies: "key=", ..bare },
            Key::Absent,
        ),
        (Incoming { body: b"key=", cookies: "key=k", ..bare }, one("k")),
    ] {
        assert_eq!(parse(&incoming).key, key, "{}", incoming.body.escape_ascii());
    }
}

#[test]
fn two_different_keys_are_a_conflict() {
    let bare = Incoming { content_type: None, query: "", body: b"", authorization: None, cookies: "" };
    for incoming in [
        Incoming { body: b"key=k", query: "key=l", ..bare },
        Incoming { body: b"key=k", authorization: Some("Bearer l"), ..bare },
        Incoming { body: br#"{"key":"k"}"#, cookies: "key=l", ..bare },
        Incoming { query: "key=k", authorization: Some("Bearer l"), ..bare },
        Incoming { query: "key=k", cookies: "key=l", ..bare },
        Incoming { authorization: Some("Bearer k"), cookies: "key=l", ..bare },
        Incoming { body: b"key=k&key=l", ..bare },
        Incoming { body: b"key[]=k&key[]=l", ..bare },
        Incoming { cookies: "key=k; key=l", ..bare },
        Incoming { body: b"key=k", query: "key=K", ..bare },
        Incoming { body: b"key=%FF", query: "key=k", ..bare },
    ] {
        assert_eq!(parse(&incoming).key, Key::Conflict, "{}", incoming.body.escape_ascii());
    }
}

#[test]
fn a_key_is_not_shown() {
    let parsed = form("key=secret&action=balance");
    let shown = "Parsed { key: One(…), command: Ok(Balance), asks_status: false, unreadable: false }";
    assert_eq!(format!("{parsed:?}"), shown);
}

/// Any text at all.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..40).prop_map(|chars| chars.into_iter().collect())
}

/// What calls are made of, and what breaks them.
const PIECES: &[&str] = &[
    "key=secret-key",
    "\"key\":\"secret-key\"",
    "&",
    "&action=add",
    "&action=status",
    "\"action\":\"add\"",
    "&service=1",
    "\"service\":1",
    "&orders[0]=1",
    "orders[",
    "]",
    "=",
    "%",
    "%2",
    "%FF",
    "&link=%00",
    "+",
    "{",
    "}",
    "\"link\":",
    "\"\\ud800\"",
    ",",
    "[[[[",
    "1e9999",
    "null",
    "\"",
    "é",
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        content_type in proptest::option::of(proptest::sample::select(vec![FORM, JSON, "multipart/form-data", "é"])),
        query in text(),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        authorization in proptest::option::of(text()),
        cookies in text(),
    ) {
        let parsed = parse(&Incoming {
            content_type,
            query: &query,
            body: &body,
            authorization: authorization.as_deref(),
            cookies: &cookies,
        });
        prop_assert!(!parsed.unreadable || parsed.command.is_err());
    }

    #[test]
    fn a_refusal_never_repeats_the_key(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..16)) {
        let call_text = pieces.concat();
        for text in [call_text.clone(), format!("{{{call_text}"), format!("{{{}}}", pieces.join(","))] {
            for parsed in [form(&text), query(&text)] {
                if let Err(refused) = parsed.command {
                    prop_assert!(!refused.to_string().contains("secret"), "{refused} for {text}");
                }
            }
        }
    }

    #[test]
    fn a_text_is_read_back_as_it_was_meant(link in text(), quantity in text()) {
        let fixed = [("key", "k"), ("action", "add"), ("service", "101")];
        let encoded = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fixed)
            .append_pair("link", &link)
            .append_pair("quantity", &quantity)
            .finish();
        let object = serde_json::json!({
            "key": "k", "action": "add", "service": 101, "link": link, "quantity": quantity
        });
        let sent = [("link", link.trim()), ("quantity", quantity.trim())];
        let sent: Vec<(&str, &str)> = sent.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        for parsed in [form(&encoded), query(&encoded), json(&object.to_string())] {
            prop_assert_eq!(&parsed.key, &one("k"));
            let wanted = match sent.iter().find(|(_, value)| value.contains('\0')) {
                Some((name, _)) => bad(&format!("`{name}` must be valid UTF-8 text without NUL")),
                None => Ok(add("101", &sent)),
            };
            prop_assert_eq!(parsed.command, wanted);
        }
    }
}
