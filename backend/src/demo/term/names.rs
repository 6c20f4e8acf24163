//! Names in many languages and scripts, each with the Latin letters for its e-mail address.

/// A name, and its Latin letters.
pub(super) type Name = (&'static str, &'static str);

/// Names, cities and phone numbers of one region.
pub(super) struct Region {
    pub(super) country: &'static str,
    pub(super) cities: [&'static str; 2],
    /// The beginning of its phone numbers.
    pub(super) dial: &'static str,
    pub(super) first: [Name; 6],
    pub(super) last: [Name; 6],
}

/// Pairs of a name and the letters `a` to `z` and `-` that stand for it in an address.
macro_rules! names {
    ($($name:literal $latin:literal),+ $(,)?) => { [$(($name, $latin)),+] };
}

pub(super) const REGIONS: [Region; 13] = [
    Region {
        country: "GB",
        cities: ["Leeds", "Bradford"],
        dial: "+44 113 496 0",
        first: names!["Amelia" "amelia", "Callum" "callum", "Ffion" "ffion", "Harriet" "harriet", "Rhys" "rhys", "Zoë" "zoe"],
        last: names!["Ashworth" "ashworth", "Llewellyn" "llewellyn", "MacLeod" "macleod", "Okafor-Hill" "okafor-hill",
            "Sutcliffe" "sutcliffe", "Whitfield" "whitfield"],
    },
    Region {
        country: "IE",
        cities: ["Galway", "Cork"],
        dial: "+353 91 55",
        first: names!["Aoife" "aoife", "Cillian" "cillian", "Niamh" "niamh", "Oisín" "oisin", "Róisín" "roisin", "Tadhg" "tadhg"],
        last: names!["Ní Bhriain" "nibhriain", "O'Sullivan" "osullivan", "O’Doherty" "odoherty", "Kavanagh" "kavanagh",
            "Mac Giolla" "macgiolla", "Brennan" "brennan"],
    },
    Region {
        country: "PL",
        cities: ["Łódź", "Gdańsk"],
        dial: "+48 42 555 0",
        first: names!["Agnieszka" "agnieszka", "Bartłomiej" "bartlomiej", "Małgorzata" "malgorzata", "Wojciech" "wojciech",
            "Zofia" "zofia", "Łukasz" "lukasz"],
        last: names!["Dąbrowska" "dabrowska", "Jabłoński" "jablonski", "Krawczyk" "krawczyk", "Świątek" "swiatek",
            "Wójcik" "wojcik", "Żak" "zak"],
    },
    Region {
        country: "PT",
        cities: ["Braga", "Évora"],
        dial: "+351 253 5",
        first: names!["Beatriz" "beatriz", "Gonçalo" "goncalo", "Inês" "ines", "João" "joao", "Mafalda" "mafalda", "Tomás" "tomas"],
        last: names!["Araújo" "araujo", "da Conceição" "daconceicao", "Magalhães" "magalhaes", "Nóbrega" "nobrega",
            "Simões" "simoes", "Teixeira" "teixeira"],
    },
    Region {
        country: "GR",
        cities: ["Θεσσαλονίκη", "Πάτρα"],
        dial: "+30 231 055 ",
        first: names!["Αλέξανδρος" "alexandros", "Ελένη" "eleni", "Κατερίνα" "katerina", "Νίκος" "nikos", "Σοφία" "sofia",
            "Γιώργος" "giorgos"],
        last: names!["Αγγελίδης" "angelidis", "Δημητρίου" "dimitriou", "Καραγιάννη" "karagianni", "Μακρής" "makris",
            "Παππά" "pappa", "Ψαρρός" "psarros"],
    },
    Region {
        country: "UA",
        cities: ["Львів", "Харків"],
        dial: "+380 32 255 ",
        first: names!["Андрій" "andrii", "Ганна" "hanna", "Дмитро" "dmytro", "Зоряна" "zoriana", "Олена" "olena", "Тарас" "taras"],
        last: names!["Бондаренко" "bondarenko", "Гнатюк" "hnatiuk", "Ковальчук" "kovalchuk", "Лисенко" "lysenko",
            "Шевчук" "shevchuk", "Яремчук" "yaremchuk"],
    },
    Region {
        country: "EG",
        cities: ["الإسكندرية", "أسيوط"],
        dial: "+20 3 555 0",
        first: names!["أحمد" "ahmed", "فاطمة" "fatima", "ليلى" "layla", "محمود" "mahmoud", "نور" "nour", "يوسف" "youssef"],
        last: names!["الشافعي" "elshafei", "حجازي" "hegazy", "سليمان" "soliman", "عبد الرحمن" "abdelrahman", "منصور" "mansour",
            "نجيب" "naguib"],
    },
    Region {
        country: "IN",
        cities: ["जयपुर", "भोपाल"],
        dial: "+91 141 555 ",
        first: names!["अनन्या" "ananya", "अर्जुन" "arjun", "दीपिका" "deepika", "रोहन" "rohan", "सुनीता" "sunita", "विक्रम" "vikram"],
        last: names!["गुप्ता" "gupta", "चौधरी" "chaudhary", "मिश्रा" "mishra", "राठौड़" "rathore", "शर्मा" "sharma", "त्रिपाठी" "tripathi"],
    },
    Region {
        country: "CN",
        cities: ["成都", "杭州"],
        dial: "+86 28 5550 ",
        first: names!["伟" "wei", "芳" "fang", "静怡" "jingyi", "俊杰" "junjie", "梓涵" "zihan", "欣妍" "xinyan"],
        last: names!["陈" "chen", "黄" "huang", "李" "li", "欧阳" "ouyang", "吴" "wu", "张" "zhang"],
    },
    Region {
        country: "KR",
        cities: ["대전", "부산"],
        dial: "+82 42 555 ",
        first: names!["민준" "minjun", "서연" "seoyeon", "지우" "jiwoo", "하은" "haeun", "도윤" "doyun", "수빈" "subin"],
        last: names!["김" "kim", "박" "park", "이" "yi", "정" "jeong", "최" "choi", "황보" "hwangbo"],
    },
    Region {
        country: "VN",
        cities: ["Huế", "Đà Nẵng"],
        dial: "+84 234 555 ",
        first: names!["Anh Thư" "anhthu", "Đức" "duc", "Hương" "huong", "Minh Khôi" "minhkhoi", "Quỳnh" "quynh", "Tuấn" "tuan"],
        last: names!["Bùi" "bui", "Đặng" "dang", "Hoàng" "hoang", "Nguyễn" "nguyen", "Phạm" "pham", "Trần" "tran"],
    },
    Region {
        country: "NG",
        cities: ["Ìbàdàn", "Enugu"],
        dial: "+234 2 555 ",
        first: names!["Adébáyọ̀" "adebayo", "Chiamaka" "chiamaka", "Ọlábísí" "olabisi", "Emeka" "emeka", "Títílayọ̀" "titilayo",
            "Ngozi" "ngozi"],
        last: names!["Adéyẹmí" "adeyemi", "Eze" "eze", "Nwosu" "nwosu", "Ọ̀ṣọ́" "oso", "Okonkwo" "okonkwo", "Balógun" "balogun"],
    },
    Region {
        country: "TR",
        cities: ["İzmir", "Eskişehir"],
        dial: "+90 232 555 ",
        first: names!["Ayşe" "ayse", "Çağla" "cagla", "Emre" "emre", "İpek" "ipek", "Oğuz" "oguz", "Şükrü" "sukru"],
        last: names!["Çelik" "celik", "Doğan" "dogan", "Güneş" "gunes", "Işık" "isik", "Öztürk" "ozturk", "Yıldız" "yildiz"],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::REGIONS;

    #[test]
    fn latin_letters_make_addresses_and_no_two_are_the_same() {
        let mut seen = HashSet::new();
        for region in &REGIONS {
            for (name, latin) in region.first.iter().chain(&region.last) {
                assert!(!name.trim().is_empty());
                assert!(latin.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{latin}");
            }
            for (_, first) in region.first {
                assert!(region.last.iter().all(|(_, last)| seen.insert(format!("{first}.{last}"))), "{first}");
            }
        }
    }
}
