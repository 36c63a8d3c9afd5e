import { type Topic } from "../cell.ts";

export const unicode: Topic = {
  name: "unicode",
  cells: [
    { name: "many scripts", code: "print('Ελληνικά русский עברית العربية हिन्दी 中文 日本語 한국어')" },
    { name: "emoji of several code points", code: "print('👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇺 é é')\n'👩‍👩‍👧‍👦'" },
    { name: "beyond the first plane", code: "print('𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 \\U0010ffff')" },
    {
      name: "a lone surrogate, printed",
      code: "print('a\\ud800b')",
      difference: { reason: "surrogates", ours: "stdout: a\ud800b" },
    },
    { name: "a lone surrogate as a value", code: "'a\\udc80b'" },
    {
      name: "a lone surrogate in a display",
      code: "display({'text/plain': 'a\\ud800b'}, raw=True)",
      difference: { reason: "surrogates", ours: "text/plain: a" },
    },
    {
      name: "a lone surrogate in an error",
      code: "raise ValueError('a\\ud800b')",
      difference: { reason: "surrogates", ours: "error: ValueError: a" },
    },
    {
      name: "a lone surrogate in the code",
      code: "print('a\ud800b')",
      difference: { reason: "surrogates", ours: "error: UnicodeEncodeError" },
      fresh: true,
    },
    {
      name: "two halves of a character, printed apart",
      code: "print('\\ud83d', end='')\nprint('\\ude00')",
      difference: { reason: "surrogates", ours: "stdout: 😀" },
    },
    { name: "NUL in a text", code: "print('a\\0b')\n'a\\0b'" },
    { name: "NUL in the code", code: "print('a\0b')" },
    { name: "control characters", code: "print(''.join(map(chr, range(1, 32))))" },
    { name: "a byte order mark", code: "\ufeffprint('after the mark')" },
    { name: "line separators in a text", code: "print('a\u2028b\u2029c\u0085d')" },
    { name: "a line separator between statements", code: "x = 1\u2028y = 2" },
    { name: "names in unicode", code: "größe = 2\nπ = 3.14\nµ = 1\nprint(größe * π)" },
    { name: "names that are the same when normalised", code: "ﬁle = 'ligature'\nfile" },
    { name: "full-width and invisible characters in code", code: "x =\u00a01" },
    { name: "quotes of a word processor", code: "print(“text”)" },
    { name: "directions", code: "print('abc \u202e def \u2066 ghi')" },
    { name: "an encoding cookie", code: "# -*- coding: latin-1 -*-\nprint('é')" },
    {
      name: "unicode in a command's file name",
      code: "open('ünï 🌍.txt', 'w').close()\n!ls *.txt",
      difference: { reason: "commands", ours: "stdout: ünï 🌍.txt" },
    },
    { name: "unicode in HTML", code: "from IPython.display import HTML\nHTML('<b>ü 🌍 \\u2028</b>')" },
    { name: "a long text of wide characters", code: "'🌍' * 3000" },
  ],
};
