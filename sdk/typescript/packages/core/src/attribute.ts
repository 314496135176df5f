export type AttributeValue = string | number | boolean | object | null;

/** Attributes of a market or a selection: a letter for the type, as in digests [DIG-3], and the value as text. */
export type Attributes = Map<string, string>;

/** Attributes as applications read them. */
export function valuesOf(attributes: Attributes): Record<string, AttributeValue> {
  return Object.fromEntries([...attributes].map(([name, value]) => [name, valueOf(value[0]!, value.slice(1))]));
}

function valueOf(type: string, text: string): AttributeValue {
  if (type === 't') return text;
  if (type === 'b') return text === '1';
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
