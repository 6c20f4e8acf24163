//! The part of COQL that is understood: `select … from … where … [order by …] [limit [offset,] rows]`, and `COUNT(id)`
//! in place of columns.

use crate::{answer::Refusal, rules::Rule};

/// The most columns, criteria and values of an `in`; Zoho's limits.
const COLUMNS: usize = 50;
const CRITERIA: usize = 25;
const VALUES: usize = 50;

/// The rows without a `limit`.
const ROWS: usize = 200;

/// The deepest nesting of brackets: more than 25 criteria in pairs can need.
const DEPTH: usize = 30;

/// A query.
#[derive(Debug, PartialEq)]
pub(crate) struct Query {
    /// None if the records are only counted.
    pub(super) columns: Vec<String>,
    pub(crate) module: String,
    pub(super) condition: Condition,
    /// The field to sort by, and whether the greatest comes first.
    pub(super) order: Option<(String, bool)>,
    pub(super) offset: usize,
    pub(super) rows: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    One { field: String, test: Test },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Test {
    /// One of the values, or none of them.
    In {
        values: Vec<String>,
        wanted: bool,
    },
    Null(bool),
    /// `<`, `<=`, `>` or `>=`.
    Compare(String, String),
    /// With `%` at one end or both.
    Like(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 9] = ["<=", ">=", "!=", "(", ")", ",", "=", "<", ">"];

/// Reads a query.
pub(super) fn query(text: &str) -> Result<Query, Refusal> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, criteria: 0 };
    reader.expect("select")?;
    let columns = reader.columns()?;
    reader.expect("from")?;
    let module = reader.name()?;
    if !reader.takes("where") {
        return Err(Refusal::of(Rule::CoqlSyntax).detail("clause", "where"));
    }
    let condition = reader.conditions(0)?;
    let order = reader.order()?;
    let (offset, rows) = reader.limit()?;
    match reader.tokens {
        [] => Ok(Query { columns, module, condition, order, offset, rows }),
        [next, ..] => Err(near(next)),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, after) = if matches!(first, '\'' | '"') {
            quoted(&rest[1..], first)?
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), &rest[sign.len()..])
        } else {
            let part_of_word = |character: char| character.is_alphanumeric() || "_.-+:$".contains(character);
            let end = rest.find(|character| !part_of_word(character)).unwrap_or(rest.len());
            if end == 0 {
                return Err(Refusal::of(Rule::CoqlSyntax).detail("near", first.to_string()));
            }
            (Token::Word(rest[..end].to_owned()), &rest[end..])
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// A text up to its closing quote. Two quotes are one in the text; what a backslash means is not said anywhere.
fn quoted(text: &str, quote: char) -> Result<(Token, &str), Refusal> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((place, character)) = characters.next() {
        if character == '\\' {
            break;
        }
        if character != quote {
            value.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            return Ok((Token::Text(value), &text[place + 1..]));
        }
    }
    Err(Refusal::of(Rule::CoqlSyntax).detail("near", "quote"))
}

fn near(token: &Token) -> Refusal {
    let text = match token {
        Token::Word(text) | Token::Text(text) => text.as_str(),
        Token::Sign(sign) => sign,
    };
    Refusal::of(Rule::CoqlSyntax).detail("near", text)
}

struct Reader<'a> {
    tokens: &'a [Token],
    criteria: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<&Token, Refusal> {
        let (first, rest) =
            self.tokens.split_first().ok_or_else(|| Refusal::of(Rule::CoqlSyntax).detail("near", "end"))?;
        self.tokens = rest;
        Ok(first)
    }

    /// Takes this word or sign if it is next.
    fn takes(&mut self, expected: &str) -> bool {
        let is = match self.tokens.first() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(expected),
            Some(Token::Sign(sign)) => *sign == expected,
            _ => false,
        };
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn expect(&mut self, expected: &str) -> Result<(), Refusal> {
        match self.takes(expected) {
            true => Ok(()),
            false => Err(self.next().map_or_else(|refusal| refusal, near)),
        }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        match self.next()? {
            Token::Word(word) | Token::Text(word) => Ok(word.clone()),
            other => Err(near(other)),
        }
    }

    /// The columns; none for `COUNT(id)`.
    fn columns(&mut self) -> Result<Vec<String>, Refusal> {
        let mut columns = vec![self.name()?];
        if columns.first().is_some_and(|name| name.eq_ignore_ascii_case("count")) && self.takes("(") {
            self.expect("id")?;
            self.expect(")")?;
            return Ok(Vec::new());
        }
        while self.takes(",") {
            columns.push(self.name()?);
        }
        match columns.len() > COLUMNS {
            true => Err(Refusal::of(Rule::CoqlColumns).detail("limit", COLUMNS)),
            false => Ok(columns),
        }
    }

    /// One condition, or two with `and` or `or` between them.
    fn conditions(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let left = self.condition(depth)?;
        let joined = match (self.takes("and"), self.takes("or")) {
            (true, _) => Condition::All(vec![left, self.condition(depth)?]),
            (_, true) => Condition::Any(vec![left, self.condition(depth)?]),
            _ => return Ok(left),
        };
        match self.takes("and") || self.takes("or") {
            true => Err(Refusal::of(Rule::CoqlPairs)),
            false => Ok(joined),
        }
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, Refusal> {
        if depth <= DEPTH && self.takes("(") {
            let inner = self.conditions(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.criteria += 1;
        if self.criteria > CRITERIA {
            return Err(Refusal::of(Rule::CoqlCriteria).detail("limit", CRITERIA));
        }
        let field = self.name()?;
        Ok(Condition::One { field, test: self.test()? })
    }

    fn test(&mut self) -> Result<Test, Refusal> {
        if self.takes("is") {
            let wanted = !self.takes("not");
            self.expect("null")?;
            return Ok(Test::Null(wanted));
        }
        let wanted = !self.takes("not");
        if self.takes("in") {
            return Ok(Test::In { values: self.values()?, wanted });
        }
        if wanted && self.takes("like") {
            return Ok(Test::Like(self.name()?.to_lowercase()));
        }
        match self.next()?.clone() {
            Token::Sign(sign @ ("=" | "!=")) if wanted => {
                Ok(Test::In { values: vec![self.name()?.to_lowercase()], wanted: sign == "=" })
            }
            Token::Sign(sign @ ("<" | "<=" | ">" | ">=")) if wanted => {
                Ok(Test::Compare(sign.to_owned(), self.name()?.to_lowercase()))
            }
            Token::Word(operator) => Err(Refusal::of(Rule::CoqlSyntax).detail("operator", operator)),
            other => Err(near(&other)),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, Refusal> {
        self.expect("(")?;
        let mut values = vec![self.name()?.to_lowercase()];
        while self.takes(",") {
            values.push(self.name()?.to_lowercase());
        }
        self.expect(")")?;
        match values.len() > VALUES {
            true => Err(Refusal::of(Rule::CoqlValues).detail("limit", VALUES)),
            false => Ok(values),
        }
    }

    fn order(&mut self) -> Result<Option<(String, bool)>, Refusal> {
        if !self.takes("order") {
            return Ok(None);
        }
        self.expect("by")?;
        let field = self.name()?;
        let descending = self.takes("desc");
        self.takes("asc");
        Ok(Some((field, descending)))
    }

    /// `limit rows`, `limit offset, rows` or `limit rows offset offset`.
    fn limit(&mut self) -> Result<(usize, usize), Refusal> {
        if !self.takes("limit") {
            return Ok((0, ROWS));
        }
        let first = self.number()?;
        if self.takes(",") {
            return Ok((first, self.number()?));
        }
        let offset = if self.takes("offset") { self.number()? } else { 0 };
        Ok((offset, first))
    }

    fn number(&mut self) -> Result<usize, Refusal> {
        let token = self.next()?.clone();
        let number = match &token {
            Token::Word(word) => word.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| near(&token))
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Test, query};
    use crate::rules::Rule;

    fn is(field: &str, value: &str) -> Condition {
        let test = Test::In { values: vec![value.to_owned()], wanted: true };
        Condition::One { field: field.to_owned(), test }
    }

    #[test]
    fn a_query_in_full() {
        let read = query(
            "SELECT id, Email FROM Contacts WHERE (Email = 'O''Brien@b.org' AND id > 5) ORDER BY id DESC LIMIT 10, 20",
        );
        let read = read.expect("a query");
        let later = Condition::One { field: "id".to_owned(), test: Test::Compare(">".to_owned(), "5".to_owned()) };
        assert_eq!(read.condition, Condition::All(vec![is("Email", "o'brien@b.org"), later]));
        assert_eq!((read.columns, read.module.as_str()), (vec!["id".to_owned(), "Email".to_owned()], "Contacts"));
        assert_eq!((read.order, read.offset, read.rows), (Some(("id".to_owned(), true)), 10, 20));
    }

    #[test]
    fn what_is_refused() {
        let of = |condition: &str| {
            query(&format!("select id from Contacts where {condition}")).err().and_then(|refusal| refusal.rule)
        };
        let many = |count: usize| format!("id in ({})", vec!["1"; count].join(","));
        assert_eq!((of(&many(50)), of(&many(51))), (None, Some(Rule::CoqlValues)));
        assert_eq!(of("a = 1 and b = 2"), None);
        assert_eq!(of("((a = 1 and b = 2) or c is not null)"), None);
        assert_eq!(of("a = 1 and b = 2 and c = 3"), Some(Rule::CoqlPairs));
        for wrong in ["", "a", "a ~ 1", "a = 'b", r"a = 'b\'c'", "(a = 1", "a = 1)", "a = 1 limit", "a = 1 limit x"] {
            assert_eq!(of(wrong), Some(Rule::CoqlSyntax), "{wrong}");
        }
        assert_eq!(query("select id from Contacts").err().and_then(|refusal| refusal.rule), Some(Rule::CoqlSyntax));
    }
}
