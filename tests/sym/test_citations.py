"""Every work that is cited is in one file, and every answer says which works are behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nnft_sym as nn
from nnft_sym.activations import catalogue
from nnft_sym.citations import bibliography, cite, references
from nnft_sym.language.errors import SpecificationError

ROOT = Path(__file__).parents[2]
KEY = re.compile(r"\[([A-Z][A-Za-z]*\d{2}|PDLT)\]")
STATED = re.compile(r'source(?:: str)? ?= ?"([^"]+)"')


def cited_in_code():
    for path in sorted(ROOT.glob("nnft_*/**/*.py")):
        text = path.read_text("utf-8")
        for key in KEY.findall(text):
            yield path.name, key
        for source in STATED.findall(text):
            for item in source.split(","):
                key = item.strip().partition(" ")[0]
                if re.fullmatch(r"[A-Z]+\d{2}|PDLT", key):
                    yield path.name, key


def test_every_key_in_the_code_is_in_the_bibliography():
    cited = set(cited_in_code())
    assert len({key for _, key in cited}) > 10
    assert not {(name, key) for name, key in cited if key not in bibliography()}


def test_every_entry_is_read_whole():
    text = (ROOT / "nnft_sym" / "references.bib").read_text("utf-8")
    assert len(bibliography()) == text.count("\n@") + text.startswith("@")
    for entry in bibliography().values():
        assert {"author", "title", "year"} <= set(entry.fields), entry.key
        assert entry.bibtex in text
        assert "{" not in entry.title + "".join(entry.authors) + entry.where, entry.key


def test_the_list_of_references_is_made_from_the_file():
    page = (ROOT / "docs" / "references.md").read_text("utf-8")
    assert "```{bibliography}\n:all:" in page
    assert "nnft_sym/references.bib" in page
    assert not KEY.search(page)


def networks():
    named = [nn.gauss_net(), nn.erf_net(), nn.relu_net(), nn.cos_net(), nn.scalar_field_net(2)]
    return [(net.name, net) for net in named]


@pytest.mark.parametrize("net", [net for _, net in networks()], ids=[n for n, _ in networks()])
def test_formulas_of_the_literature_name_work_and_place(net):
    found = cite(nn.cumulant(net, 4), nn.kernel(net), nn.ntk(net))
    assert {"HMS20", "J18"} <= set(found.keys)
    assert any(reference.place for reference in found.references)


def test_rules_of_integration_are_cited_with_their_equations():
    places = {str(reference) for reference in cite(nn.kernel(nn.erf_net())).references}
    assert "[W96] equation 11" in places
    assert "[CS09] equation 1" in {str(r) for r in cite(nn.kernel(nn.relu_net())).references}
    assert "[PDLT] chapter 5" in {str(r) for r in cite(nn.criticality("tanh(z)")).references}


def test_symmetries_name_the_duality_and_the_network():
    found = nn.symmetry(nn.gauss_net(), nn.Translations(1))
    assert cite(found).keys == ("MSH21", "HMS20")
    assert "[MSH21] sections 2 and 3" in {str(r) for r in cite(found).references}
    defect = nn.invariance_defect(nn.gauss_net(), nn.Translations(1), 2)
    assert cite(defect).keys[0] == "MSH21"
    assert set(cite(defect.correlator).keys) <= set(cite(defect).keys)


def test_sources_of_activations_can_be_cited():
    arguments = {"LeakyReLU": (0.5,), "Monomial": (3,)}
    for name, make in catalogue().items():
        source = make(*arguments.get(name, ())).source
        assert all(reference.key in bibliography() for reference in references(source)), name


@pytest.mark.parametrize("name", catalogue())
def test_every_formula_names_a_work_and_a_place_in_it(name):
    arguments = {"LeakyReLU": (0.5,), "Monomial": (3,)}
    net = nn.shallow(catalogue()[name](*arguments.get(name, ())))
    for formula in (nn.kernel(net), nn.cumulant(net, 4), nn.ntk(net)):
        own = references(formula.source)
        assert any(reference.place for reference in own), formula
        found = cite(formula)
        assert {reference.key for reference in own} <= set(found.keys)
        assert set(cite(net.layers[0].activation).keys) <= set(found.keys)


def test_bibtex_of_an_answer_is_that_of_its_keys():
    found = cite("M66", nn.erf_net())
    assert found.keys == ("M66", "W96", "HMS20")
    assert str(found).count("\n@") + 1 == 3
    assert "[M66]" in found._repr_html_()


@pytest.mark.parametrize("wrong", ["X99", "", "W96, nonsense", 3, object()])
def test_what_cannot_be_cited_is_refused(wrong):
    with pytest.raises(SpecificationError):
        cite(wrong)


def test_a_key_that_is_missing_in_the_file_is_refused_by_name():
    with pytest.raises(SpecificationError, match="Q17"):
        references("W96, Q17 equation 3")
