//! The database's incarnation: a random number that a restore replaces, so that readers notice it.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // 60 or more random bits that are not negative.
        let random = match manager.get_database_backend() {
            DbBackend::Postgres => {
                "CAST(CAST('x' || left(replace(CAST(gen_random_uuid() AS text), '-', ''), 15) AS bit(60)) AS bigint)"
            }
            _ => "random() & 9223372036854775807",
        };
        let sql = format!("INSERT INTO counters (name, value) SELECT 'incarnation', {random}");
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "DELETE FROM counters WHERE name IN ('incarnation', 'restored_at', 'backup_at')";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
