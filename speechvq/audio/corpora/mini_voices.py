"""The voices of the built-in corpus: 25 male, 25 female, and no two alike in accent, throat, pitch and rate together.

The pitch of each was chosen for a median F0, given beside it in Hz (within about 10 % of what is measured), since voice
conversion is judged by it. The first few of either sex are spread widely. Variants built on eSpeak's Klatt synthesiser
are left out, as its sample hooks do not see them, and so are those that clip or sound like robots.
"""

from speechvq.audio.espeak import Voice

VOICES = {
    "m01": Voice("gmw/en-US", "m3", 36, 160),  # 88
    "f01": Voice("gmw/en-GB-x-rp", "f3", 34, 154),  # 175
    "m02": Voice("gmw/en-GB-x-rp", "Alex", 49, 158),  # 102
    "f02": Voice("gmw/en-029", "belinda", 36, 160),  # 192
    "m03": Voice("gmw/en-029", "m7", 62, 178),  # 115
    "f03": Voice("gmw/en", "f2", 59, 158),  # 207
    "m04": Voice("gmw/en", "m1", 80, 148),  # 128
    "f04": Voice("gmw/en-US-nyc", "Annie", 39, 178),  # 224
    "m05": Voice("gmw/en-US-nyc", "miguel", 80, 174),  # 143
    "f05": Voice("gmw/en-GB-x-gbcwmd", "steph", 39, 148),  # 160
    "m06": Voice("gmw/en-GB-x-gbcwmd", "Andy", 36, 165),  # 80
    "f06": Voice("gmw/en-GB-scotland", "f5", 67, 174),  # 240
    "m07": Voice("gmw/en-GB-scotland", "Michael", 43, 170),  # 95
    "f07": Voice("gmw/en-GB-x-gbclan", "shelby", 48, 165),  # 168
    "m08": Voice("gmw/en-GB-x-gbclan", "m8", 77, 150),  # 108
    "f08": Voice("gmw/en-US", "Andrea", 24, 170),  # 184
    "m09": Voice("gmw/en", "Denis", 71, 145),  # 121
    "f09": Voice("gmw/en-US-nyc", "f1", 62, 150),  # 200
    "m10": Voice("gmw/en-US-nyc", "max", 80, 154),  # 135
    "f10": Voice("gmw/en-GB-x-gbcwmd", "grandma", 64, 145),  # 216
    "m11": Voice("gmw/en-GB-x-gbcwmd", "pablo", 80, 160),  # 150
    "f11": Voice("gmw/en-GB-scotland", "Alicia", 43, 154),  # 232
    "m12": Voice("gmw/en-GB-scotland", "Lee", 40, 158),  # 84
    "f12": Voice("gmw/en-GB-x-gbclan", "linda", 30, 160),  # 178
    "m13": Voice("gmw/en-GB-x-gbclan", "grandpa", 47, 178),  # 98
    "f13": Voice("gmw/en-US", "f4", 37, 158),  # 152
    "m14": Voice("gmw/en-US", "m4", 71, 148),  # 111
    "f14": Voice("gmw/en-GB-x-rp", "aunty", 58, 178),  # 196
    "m15": Voice("gmw/en-GB-x-rp", "Diogo", 69, 174),  # 124
    "f15": Voice("gmw/en-029", "anika", 41, 148),  # 248
    "m16": Voice("gmw/en-029", "boris", 80, 165),  # 138
    "f16": Voice("gmw/en", "f2", 34, 174),  # 163
    "m17": Voice("gmw/en-GB-scotland", "marcelo", 48, 170),  # 91
    "f17": Voice("gmw/en-GB-x-gbclan", "Annie", 30, 165),  # 212
    "m18": Voice("gmw/en-GB-x-gbclan", "m2", 56, 150),  # 105
    "f18": Voice("gmw/en-US", "f3", 63, 170),  # 228
    "m19": Voice("gmw/en-US", "quincy", 80, 145),  # 118
    "f19": Voice("gmw/en-GB-x-rp", "belinda", 31, 150),  # 181
    "m20": Voice("gmw/en-GB-x-rp", "robert", 80, 154),  # 131
    "f20": Voice("gmw/en-029", "steph", 60, 145),  # 204
    "m21": Voice("gmw/en-029", "michel", 80, 160),  # 146
    "f21": Voice("gmw/en", "f1", 39, 154),  # 157
    "m22": Voice("gmw/en", "m5", 32, 158),  # 86
    "f22": Voice("gmw/en-US-nyc", "shelby", 63, 160),  # 188
    "m23": Voice("gmw/en-US-nyc", "Mario", 48, 178),  # 100
    "f23": Voice("gmw/en-GB-x-gbcwmd", "f5", 60, 158),  # 220
    "m24": Voice("gmw/en-GB-x-gbcwmd", "victor", 67, 148),  # 112
    "f24": Voice("gmw/en-GB-scotland", "Alicia", 32, 178),  # 210
    "m25": Voice("gmw/en-GB-x-rp", "m6", 73, 174),  # 126
    "f25": Voice("gmw/en-029", "grandma", 36, 148),  # 172
}
