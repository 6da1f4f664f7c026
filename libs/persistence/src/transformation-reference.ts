/** Whether a change of an endpoint was refused because its tenant has no such transformation (any more). */
export function namesNoTransformation(error: unknown): boolean {
  // TypeORM keeps what PostgreSQL said in `driverError`.
  if (!(error instanceof Error) || !('driverError' in error)) return false;
  const said = error.driverError;
  return (
    typeof said === 'object' && said !== null && 'constraint' in said && said.constraint === 'endpoints_transformation'
  );
}
