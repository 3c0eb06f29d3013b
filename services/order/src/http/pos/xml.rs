//! XML as a tree of elements by their local names. Nothing outside the document is read, and no entity is defined in it.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// The most elements inside each other: tills nest a dozen.
const MAX_DEPTH: usize = 64;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        // The first one stands for the document.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| error.to_string())? {
                Event::Start(start) if open.len() > MAX_DEPTH => {
                    return Err(format!("{:?} lies deeper than {MAX_DEPTH} elements", start.local_name()));
                }
                Event::Start(start) => open.push(Self::begin(&start)?),
                Event::Empty(start) => Self::add(&mut open, Self::begin(&start)?),
                Event::End(_) => {
                    let ended = open.pop().unwrap_or_default();
                    Self::add(&mut open, ended);
                }
                Event::Text(text) => Self::write(&mut open, &text.decode().map_err(|error| error.to_string())?),
                Event::CData(text) => Self::write(&mut open, &text.decode().map_err(|error| error.to_string())?),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|error| error.to_string())?;
                    match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => Self::write(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => {
                            let known = resolve_predefined_entity(&name);
                            Self::write(&mut open, known.ok_or_else(|| format!("the entity {name} is not known"))?);
                        }
                    }
                }
                Event::DocType(_) => return Err("a document type is not taken".to_owned()),
                Event::Eof => break,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
        match (open.pop().map(|document| document.children), open.is_empty()) {
            (Some(mut roots), true) if roots.len() == 1 => roots.pop().ok_or_else(|| "no element".to_owned()),
            _ => Err("the document has one element that ends".to_owned()),
        }
    }

    fn begin(start: &BytesStart<'_>) -> Result<Self, String> {
        let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = String::from_utf8_lossy(&attribute.value).into_owned();
            attributes.push((String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned(), value));
        }
        Ok(Self { name, attributes, ..Self::default() })
    }

    fn add(open: &mut [Self], child: Self) {
        if let Some(parent) = open.last_mut() {
            parent.children.push(child);
        }
    }

    fn write(open: &mut [Self], text: &str) {
        if let Some(element) = open.last_mut() {
            element.text.push_str(text);
        }
    }

    /// Its local name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The elements of this name directly in it.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element that this path of names leads to.
    pub(super) fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.children.iter().find(|child| child.name == *name))
    }

    /// The text at the end of a path, without blanks around it; none where it is empty.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.find(path).map(|element| element.text.trim()).filter(|text| !text.is_empty())
    }

    /// An attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// Whether an attribute is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.attribute(name), Some("true" | "1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_by_local_names() {
        let root =
            Element::parse("<?xml version='1.0'?><x:A b='1'><!-- c --><y:C> d &amp; <![CDATA[<e>]]>&#65; </y:C></x:A>");
        let root = root.unwrap();
        assert_eq!((root.name(), root.attribute("b"), root.text(&["C"])), ("A", Some("1"), Some("d & <e>A")));
    }

    #[test]
    fn what_is_broken_deep_or_expands_is_refused() {
        let deep = "<a>".repeat(100);
        for bad in ["", "<a>", "<a></b>", "<a/><b/>", "</a>", "<a>&b;</a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", &deep]
        {
            assert!(Element::parse(bad).is_err(), "{bad}");
        }
    }
}
