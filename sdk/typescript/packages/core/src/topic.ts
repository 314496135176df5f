import type { Market } from './market.js';

/** The attributes that make topics [ATTR-4], by the word that topics begin with. */
const ATTRIBUTES: Record<string, string> = { fixture: 'fixture', competition: 'competition', sport: 'sport', type: 'market_type' };

/** Whether one of the topics names a market [SUB-2]. */
export function names(topics: readonly string[], { id, texts }: Market): boolean {
  return topics.some((topic) => {
    if (topic === 'all' || topic === `market/${id}`) return true;
    const slash = topic.indexOf('/');
    const value = texts.get(ATTRIBUTES[topic.slice(0, slash)] ?? '');
    // Texts and integers make topics.
    return value !== undefined && 'ti'.includes(value[0]!) && value.slice(1) === topic.slice(slash + 1);
  });
}
