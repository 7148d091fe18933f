import { FilterError, type Grant, parseFilter } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';

/**
 * Parses the filters of grants before they are stored: INVALID_FILTER names the first that is none, and
 * where. Placeholders are whole operands here; they are bound as typed values when the grant is used.
 */
export function mustParseFilters(grants: readonly Grant[]): void {
  for (const [index, { filter }] of grants.entries()) {
    if (filter === undefined) continue;
    try {
      parseFilter(filter, { placeholders: true });
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      throw new Refusal('INVALID_FILTER', 'filter_invalid', {
        message: `grants.${index}.filter, position ${error.position}: ${error.message}`,
      });
    }
  }
}
