"""The voices of the built-in corpus: 25 male and 25 female, with different accents, pitches and rates.

The pitch of each was chosen for its median F0, because voice conversion is evaluated by it; the measured F0
in Hz is in the comment. The first five of each sex cover a wide range. Variants of eSpeak's Klatt synthesizer
are left out because its hooks miss their samples, and so are variants that clip or sound robotic.
"""

from speechvq.data.corpora.mini.espeak import Voice

VOICES: dict[str, Voice] = {
    "m01": Voice("gmw/en-US", "m3", 36, 160),  # 89
    "f01": Voice("gmw/en-GB-x-rp", "f3", 34, 154),  # 184
    "m02": Voice("gmw/en-GB-x-rp", "Alex", 49, 158),  # 102
    "f02": Voice("gmw/en-029", "belinda", 36, 160),  # 193
    "m03": Voice("gmw/en-029", "m7", 62, 178),  # 118
    "f03": Voice("gmw/en", "f2", 59, 158),  # 213
    "m04": Voice("gmw/en", "m1", 80, 148),  # 126
    "f04": Voice("gmw/en-US-nyc", "Annie", 39, 178),  # 221
    "m05": Voice("gmw/en-US-nyc", "miguel", 80, 174),  # 147
    "f05": Voice("gmw/en-GB-x-gbcwmd", "steph", 39, 148),  # 161
    "m06": Voice("gmw/en-GB-x-gbcwmd", "Andy", 36, 165),  # 82
    "f06": Voice("gmw/en-GB-scotland", "f5", 67, 174),  # 244
    "m07": Voice("gmw/en-GB-scotland", "Michael", 43, 170),  # 98
    "f07": Voice("gmw/en-GB-x-gbclan", "shelby", 48, 165),  # 174
    "m08": Voice("gmw/en-GB-x-gbclan", "m8", 77, 150),  # 112
    "f08": Voice("gmw/en-US", "Andrea", 24, 170),  # 186
    "m09": Voice("gmw/en", "Denis", 71, 145),  # 122
    "f09": Voice("gmw/en-US-nyc", "f1", 62, 150),  # 201
    "m10": Voice("gmw/en-US-nyc", "max", 80, 154),  # 138
    "f10": Voice("gmw/en-GB-x-gbcwmd", "grandma", 64, 145),  # 219
    "m11": Voice("gmw/en-GB-x-gbcwmd", "pablo", 80, 160),  # 149
    "f11": Voice("gmw/en-GB-scotland", "Alicia", 43, 154),  # 234
    "m12": Voice("gmw/en-GB-scotland", "Lee", 40, 158),  # 86
    "f12": Voice("gmw/en-GB-x-gbclan", "linda", 30, 160),  # 181
    "m13": Voice("gmw/en-GB-x-gbclan", "grandpa", 47, 178),  # 100
    "f13": Voice("gmw/en-US", "f4", 37, 158),  # 157
    "m14": Voice("gmw/en-US", "m4", 71, 148),  # 112
    "f14": Voice("gmw/en-GB-x-rp", "aunty", 58, 178),  # 196
    "m15": Voice("gmw/en-GB-x-rp", "Diogo", 69, 174),  # 127
    "f15": Voice("gmw/en-029", "anika", 41, 148),  # 243
    "m16": Voice("gmw/en-029", "boris", 80, 165),  # 137
    "f16": Voice("gmw/en", "f2", 34, 174),  # 167
    "m17": Voice("gmw/en-GB-scotland", "marcelo", 48, 170),  # 94
    "f17": Voice("gmw/en-GB-x-gbclan", "Annie", 30, 165),  # 211
    "m18": Voice("gmw/en-GB-x-gbclan", "m2", 56, 150),  # 108
    "f18": Voice("gmw/en-US", "f3", 63, 170),  # 239
    "m19": Voice("gmw/en-US", "quincy", 80, 145),  # 114
    "f19": Voice("gmw/en-GB-x-rp", "belinda", 31, 150),  # 183
    "m20": Voice("gmw/en-GB-x-rp", "robert", 80, 154),  # 125
    "f20": Voice("gmw/en-029", "steph", 60, 145),  # 207
    "m21": Voice("gmw/en-029", "michel", 80, 160),  # 143
    "f21": Voice("gmw/en", "f1", 39, 154),  # 159
    "m22": Voice("gmw/en", "m5", 32, 158),  # 87
    "f22": Voice("gmw/en-US-nyc", "shelby", 63, 160),  # 197
    "m23": Voice("gmw/en-US-nyc", "Mario", 48, 178),  # 103
    "f23": Voice("gmw/en-GB-x-gbcwmd", "f5", 60, 158),  # 226
    "m24": Voice("gmw/en-GB-x-gbcwmd", "victor", 67, 148),  # 113
    "f24": Voice("gmw/en-GB-scotland", "Alicia", 32, 178),  # 214
    "m25": Voice("gmw/en-GB-x-rp", "m6", 73, 174),  # 128
    "f25": Voice("gmw/en-029", "grandma", 36, 148),  # 180
}
