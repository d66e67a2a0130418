export interface Culture {
  given: readonly [string, ...string[]]
  family: readonly [string, ...string[]]
  /** Names of this culture in addresses and user names, for which Clerk requires Latin letters. */
  handles: readonly [string, ...string[]]
}

export const CULTURES: readonly [Culture, ...Culture[]] = [
  {
    given: ['Amelia', 'Noah', 'Grace', 'Oliver', 'Hannah', 'Theo', 'Imogen', 'Callum'],
    family: ['Okafor', 'Bennett', 'O’Brien', 'Whitfield', 'Castellanos-Reid', 'Marsh', 'van der Berg'],
    handles: ['amelia', 'noah', 'grace', 'theo', 'callum'],
  },
  {
    given: ['Zoë', 'Jürgen', 'Søren', 'Łukasz', 'Françoise', 'Åsa', 'Đorđe', 'Þóra'],
    family: ['Müller', 'Żółkiewski', 'Ångström', 'd’Aubigné', 'Čapek', 'Şahin', 'Großmann'],
    handles: ['zoe', 'juergen', 'soren', 'lukasz', 'asa'],
  },
  {
    given: ['José', 'María del Carmen', 'Inês', 'João', 'Lucía', 'Íñigo'],
    family: ['Núñez', 'García Márquez', 'Conceição', 'Peña', 'Araújo'],
    handles: ['jose', 'mcarmen', 'ines', 'joao', 'lucia'],
  },
  {
    given: ['美咲', '翔太', '伟', '秀英', '지우', '서준'],
    family: ['田中', '佐藤', '王', '欧阳', '김', '박'],
    handles: ['misaki', 'shota', 'wei', 'xiuying', 'jiwoo'],
  },
  {
    given: ['Ольга', 'Андрій', 'Ελένη', 'Νίκος', 'أمينة', 'יעל', 'प्रिया', 'สมชาย'],
    family: ['Иванова', 'Шевченко', 'Παπαδοπούλου', 'الأحمد', 'כהן', 'शर्मा', 'ใจดี'],
    handles: ['olga', 'andrii', 'eleni', 'amina', 'yael', 'priya'],
  },
  {
    given: ['Nguyễn', 'Thị Hương', 'Chidi', 'Adébáyọ̀', 'Keōpūolani', 'Aroha'],
    family: ['Trần', 'Phạm', 'Olúwaṣeun', 'Kealoha', 'Ngata'],
    handles: ['huong', 'chidi', 'adebayo', 'aroha', 'kealoha'],
  },
]

/** Reserved by RFC 2606: mail to a sample address reaches no one. */
export const MAIL_HOSTS: readonly [string, ...string[]] = ['example.com', 'example.org', 'example.net', 'mail.example']

export const TEAMS: readonly [string, ...string[]] = ['design', 'platform', 'küche', 'ops', '営業']
