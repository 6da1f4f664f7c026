/** As the indexes over texts for people have it: words of letters and digits, whatever stands between them. */
export const wordsOf = (text: string): string =>
  `to_tsvector('simple', regexp_replace(${text}, '[^[:alnum:]]+', ' ', 'g'))`;
