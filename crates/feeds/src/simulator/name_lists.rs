//! The lists that invented names are put together from.

/// A competition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Competition {
    /// Id on the wire.
    pub(super) id: &'static str,
    /// What people call it.
    pub(super) name: &'static str,
}

pub(super) const LEAGUES: [Competition; 6] = [
    Competition { id: "sim-northern-premier", name: "Northern Premier Division" },
    Competition { id: "sim-coastal-league", name: "Coastal League" },
    Competition { id: "sim-liga-meridional", name: "Liga Meridional" },
    Competition { id: "sim-bergliga", name: "Bergliga" },
    Competition { id: "sim-harbour-cup", name: "Harbour Cup" },
    Competition { id: "sim-serie-lacustre", name: "Serie Lacustre" },
];

pub(super) const TOURNAMENTS: [Competition; 4] = [
    Competition { id: "sim-alder-bay-open", name: "Alder Bay Open" },
    Competition { id: "sim-costa-verde-masters", name: "Costa Verde Masters" },
    Competition { id: "sim-lakeside-challenger", name: "Lakeside Challenger" },
    Competition { id: "sim-copper-city-classic", name: "Copper City Classic" },
];

pub(super) const TOWNS: [&str; 60] = [
    "Ashmere",
    "Brackwell",
    "Corrowby",
    "Dunharrow",
    "Eastmarch",
    "Farrowdale",
    "Glenport",
    "Harrowick",
    "Inglemoor",
    "Jarrowfold",
    "Kelbury",
    "Larkhaven",
    "Marrowgate",
    "Netherby Vale",
    "Oxmere",
    "Pendlecross",
    "Quarrington Bay",
    "Ravensholt",
    "Saltmarsh",
    "Thornquay",
    "Ulverdale",
    "Varnham",
    "Westerlow",
    "Yarrowbridge",
    "Aldermoor",
    "Birchwick",
    "Caldermouth",
    "Dovesley",
    "Elmscar",
    "Foxholt",
    "Grimswater",
    "Hollowbeck",
    "Ironbeck Park",
    "Juniper Hill",
    "Kestrelwood",
    "Lindenau Heights",
    "Montarra",
    "Novaluz",
    "Ostrelle Bay",
    "Port Calder",
    "Quintessa",
    "Rocaverde",
    "San Telmar",
    "Torreluna",
    "Ursberg",
    "Valdorre",
    "Weisslach Falls",
    "Zellmark",
    "Altamira Sur",
    "Brunnthal",
    "Costagrande",
    "Dorfheim",
    "Estrela",
    "Felsenau",
    "Gransee Ost",
    "Hochtal",
    "Isola Bassa",
    "Karlsmund",
    "Lago Alto",
    "Marisol",
];

pub(super) const SUFFIXES: [&str; 11] = [
    "United",
    "Rovers",
    "Athletic",
    "Town",
    "Wanderers",
    "City",
    "Albion",
    "Rangers",
    "Sporting",
    "Harriers",
    "1908",
];

pub(super) const GROUNDS: [&str; 7] = ["Park", "Road", "Stadium", "Arena", "Meadow", "Lane", "Fields"];

pub(super) const FIRST_NAMES: [&str; 26] = [
    "Mara", "Ines", "Tova", "Lucija", "Amaya", "Noor", "Petra", "Saskia", "Yuna", "Daria", "Elif", "Freya",
    "Anouk", "Milan", "Jonas", "Tariq", "Emil", "Rafe", "Kenji", "Luca", "Oskar", "Dario", "Viktor", "Samir",
    "Hugo", "Idris",
];

pub(super) const FAMILY_NAMES: [&str; 54] = [
    "Velkan",
    "Okorie-Lund",
    "Torrado",
    "Ishigami-Roe",
    "Brandvold",
    "Castellane",
    "Dragosin",
    "Elmquist",
    "Farkasdy",
    "Grivas",
    "Halloran-Voss",
    "Ivankov",
    "Jastrow",
    "Kallas-Berg",
    "Lorenzetti",
    "Marchetti-Sol",
    "Nyqvist",
    "Obradin",
    "Palmgren",
    "Quiroz-Hale",
    "Rasmusin",
    "Szabolcs",
    "Takemura",
    "Ueland",
    "Vasquelle",
    "Wendelin",
    "Xanthou",
    "Yavari",
    "Zelenko",
    "Abrantes",
    "Bergamin",
    "Corvalan",
    "Delacroy",
    "Engstrand",
    "Fontaneda",
    "Gulbrand",
    "Hadjiev",
    "Ilveskoski",
    "Jurgensen",
    "Kowalik",
    "Lindqvarn",
    "Montclar",
    "Navratov",
    "Ostergard",
    "Petrakis",
    "Rosenvall",
    "Sandoval-Ek",
    "Tamburi",
    "Ullmark",
    "Villanue",
    "Wachter",
    "Zanetov",
    "Ferrowitz",
    "Drummel",
];

pub(super) const COURSES: [&str; 12] = [
    "Kestrel Down",
    "Harrow Heath",
    "Silverbeck",
    "Larch Valley",
    "Marlow Sands",
    "Oakenshaw",
    "Tamarisk Park",
    "Greyfell",
    "Rookery Lane",
    "Windlass Hill",
    "Bellweather",
    "Fennimore",
];

pub(super) const RACE_CONDITIONS: [&str; 8] =
    ["5f Hcap", "6f Mdn Stks", "7f Nov Stks", "1m Hcap", "1m2f Hcap", "1m4f Stks", "2m Hcap", "6f Listed"];

pub(super) const HORSE_FIRST: [&str; 40] = [
    "Copper", "Quiet", "Northern", "Velvet", "Midnight", "Silver", "Crimson", "Distant", "Golden", "Hidden",
    "Ivory", "Jade", "Lucky", "Marble", "Noble", "Opal", "Proud", "Rapid", "Scarlet", "Tidal", "Urban",
    "Vivid", "Winter", "Amber", "Brave", "Clever", "Dancing", "Electric", "Frosted", "Gentle", "Humble",
    "Indigo", "Jolly", "Keen", "Lively", "Mystic", "Nimble", "Painted", "Restless", "Sudden",
];

pub(super) const HORSE_SECOND: [&str; 40] = [
    "Meridian", "Thunder", "Lantern", "Harbour", "Whisper", "Falcon", "Compass", "Orchard", "Ember",
    "Sonata", "Horizon", "Ballad", "Cavalier", "Dynamo", "Envoy", "Fable", "Gambit", "Hymn", "Island",
    "Jester", "Kingdom", "Legend", "Monsoon", "Nocturne", "Oracle", "Parade", "Quarry", "Rhapsody",
    "Saffron", "Tempest", "Umber", "Voyager", "Willow", "Zephyr", "Anthem", "Bramble", "Cascade", "Drummer",
    "Echo", "Fortune",
];
