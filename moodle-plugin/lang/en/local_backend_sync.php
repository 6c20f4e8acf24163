<?php
// This file is part of Moodle - http://moodle.org/
//
// Moodle is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.
//
// Moodle is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
// GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License
// along with Moodle.  If not, see <http://www.gnu.org/licenses/>.

/**
 * English strings.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['acceptpast'] = 'Compare everything and go on';
$string['acceptsite'] = 'This is the right site';
$string['alert_body'] = '{$a->waiting} to be sent from {$a->site} to the backend, the oldest for {$a->age}. Nothing is lost: sending resumes as soon as delivery works again.

{$a->reason}

{$a->url}';
$string['alert_noreason'] = 'The last delivery did not fail. Check that Moodle\'s cron runs every minute.';
$string['alert_subject'] = '{$a->site}: changes have been waiting for the backend for {$a->age}';
$string['alertminutes'] = 'Alert administrators after';
$string['alertminutes_desc'] = 'Minutes that changes may wait before administrators get a message. The message is repeated once a day until the changes are sent.';
$string['allowhttp'] = 'Allow http';
$string['allowhttp_desc'] = 'Allows an http:// URL for another machine. Names, email addresses, grades and the site token then travel unencrypted: use it only on a network that nobody else can read. For this machine (localhost), http is always allowed.';
$string['api_token'] = 'Site token';
$string['api_token_desc'] = 'The token with which this site sends its changes. The backend shows it once, at its first start or when the site is added. To get another one, run on the backend: backend-sync site rotate-token NAME, with the name that "backend-sync site list" shows.';
$string['api_token_invalid'] = 'This is not a site token: it contains spaces, line breaks or special characters. Copy it again.';
$string['api_token_keep'] = 'Leave the field empty to keep it.';
$string['api_token_remove'] = 'Remove the site token. Changes are then neither sent nor recorded.';
$string['api_token_set'] = 'A site token is set. It ends in …{$a}.';
$string['api_token_setshort'] = 'A site token is set.';
$string['backend_sync:manage'] = 'Manage Backend Sync deliveries: send, retry, discard, synchronise everything';
$string['backend_sync:viewperson'] = 'View what Backend Sync sends about a person';
$string['backend_sync:viewstatus'] = 'View the Backend Sync status';
$string['backend_unknown'] = 'not connected yet';
$string['backend_url'] = 'Backend API URL';
$string['backend_url_desc'] = 'The address of your Backend Sync backend, the server that passes Moodle\'s data on to the CRM. For example: https://sync.college.example. While the URL or the site token is empty, changes are neither sent nor recorded.';
$string['backfill'] = 'Full synchronisation';
$string['backfill_begin'] = 'Nothing has left this site yet. Look at "What is sent" first. "Start sending" then sends everything that is in Moodle, in the background, and from then on every change. It can be paused.';
$string['backfill_cancelled'] = 'Cancelled. It started on {$a->started}. Records processed: {$a->done} of {$a->total}. You can start it again at any time.';
$string['backfill_cli'] = 'On a large site, the command line is faster:';
$string['backfill_counts'] = 'Records: {$a->done} of {$a->total}.';
$string['backfill_deletions'] = 'Running since {$a->started}. All existing records have been processed; deleted ones follow.';
$string['backfill_eta'] = '{$a->rate} per minute, about {$a->eta} left.';
$string['backfill_finished'] = 'Finished on {$a->finished}. Records processed: {$a->total}. It repeats every night to find changes that Moodle does not report.';
$string['backfill_force'] = 'Also send what the backend already holds (needed only if the backend lost data)';
$string['backfill_invite'] = 'The backend has received only changes made since it was set up. Synchronise everything once to send what was in Moodle before. It runs in the background, can be paused, and can be repeated at any time.';
$string['backfill_paused'] = 'Paused. It started on {$a->started}.';
$string['backfill_requested'] = 'Your request takes effect within a minute, at the next run of the scheduled task.';
$string['backfill_running'] = 'Running since {$a->started}.';
$string['backfillcancel'] = 'Cancel';
$string['backfillcancel_done'] = 'The full synchronisation will be cancelled within a minute.';
$string['backfillpause'] = 'Pause';
$string['backfillpause_done'] = 'The full synchronisation will pause within a minute.';
$string['backfillrate'] = 'Full synchronisation speed';
$string['backfillrate_desc'] = 'Maximum number of records to process per minute. Lower it if the full synchronisation slows the site down.';
$string['backfillresume'] = 'Resume';
$string['backfillresume_done'] = 'The full synchronisation will resume within a minute.';
$string['backfillstart'] = 'Synchronise everything';
$string['backfillstart_done'] = 'The full synchronisation will start within a minute.';
$string['backfillstate_cancelled'] = 'cancelled';
$string['backfillstate_finished'] = 'finished';
$string['backfillstate_paused'] = 'paused';
$string['backfillstate_running'] = 'running';
$string['busy'] = 'Another process is sending at the moment. Retry in a minute.';
$string['check_configurationok'] = 'The settings are complete, data is encrypted or stays on this machine, and the scheduled task runs.';
$string['check_details'] = 'The Backend Sync status page shows what is waiting and what was rejected and why, and has the buttons to deal with it.';
$string['check_unencrypted'] = 'Data travels unencrypted, because http is allowed in the settings. Use https.';
$string['checkconfiguration'] = 'Backend Sync: settings and cron';
$string['checkdelivery'] = 'Backend Sync: delivery';
$string['checkrejected'] = 'Backend Sync: rejected changes';
$string['busy_until'] = 'Another process is sending at the moment. If it was killed, its lock ends in {$a}; nothing is lost.';
$string['cli_backfill_busy'] = 'Waiting for another process that is sending.';
$string['cli_backfill_help'] = 'Synchronises everything in this site with the backend and shows the progress. You may interrupt it (Ctrl-C): the scheduled
task continues it, and so does this command when you run it again. To stop it for good, use --pause or --cancel.

Usage: {$a} [--force] [--rate=N]
       {$a} --resume [--rate=N]
       {$a} --status|--pause|--cancel

Without options, it continues a running or paused full synchronisation, or starts a new one. It also starts sending, if
nobody has done so on the status page.

Options:
  -f, --force    start from the beginning, and also send what the backend already holds
  -r, --rate=N   process at most N records per minute (default: the setting)
  -s, --status   only show the progress
      --pause    pause it after the current batch
      --resume   continue it, but never start a new one
      --cancel   cancel it after the current batch
  -h, --help     show this help

Exit status: 0 finished, or request accepted; 1 delivery fails, or the settings do not allow it; 2 wrong usage;
3 paused, cancelled or interrupted, or there was nothing to resume.';
$string['cli_backfill_nothing'] = 'There is no full synchronisation to resume. To start one, leave out --resume.';
$string['cli_eta'] = '{$a->rate} per minute, {$a->eta} left';
$string['cli_parity_help'] = 'Compares everything that was sent with what the backend holds, repairs what differs, and shows the result. The
scheduled task does the same every night.

Usage: {$a} [--status|--delete|--accept-past]

Options:
  -s, --status       only show the last result
      --delete       also delete in the backend what Moodle does not have, however much that is
      --accept-past  after this site was restored from an older backup: compare everything and go on
  -h, --help         show this help

Exit status: 0 both hold the same; 1 they differ, or the comparison has not ended; 2 wrong usage; 3 another process is
sending.';
$string['cli_send_help'] = 'Sends waiting changes now, even if the last delivery has just failed.

Usage: {$a} [--seconds=N] [--settle-here] [--reset-versions] [--quiet]

Options:
  -s, --seconds=N   stop after N seconds (default 3600)
  --settle-here     confirm that the site has moved to its present address, and that no copy of it uses this token
  --reset-versions  after this server\'s clock was ahead and has been corrected: reset the change times and send
                    everything again
  -q, --quiet       print only errors
  -h, --help        show this help

Exit status: 0 nothing is waiting; 1 something is still waiting, or the delivery failed; 2 wrong usage;
3 another process is sending.';
$string['cli_settoken_cleaned'] = 'Tokens removed from Moodle\'s logs: {$a}.';
$string['cli_settoken_done'] = 'The site token is set.';
$string['cli_settoken_empty'] = 'There is no token on standard input. The present one stays.';
$string['cli_settoken_forced'] = 'The site token is set in config.php ($CFG->forced_plugin_settings). Change it there.';
$string['cli_settoken_help'] = 'Sets the site token, which it reads from standard input, and removes tokens from Moodle\'s logs, where admin/cli/cfg.php leaves them.
Run it as the web server\'s user.

Usage: {$a} < FILE
       {$a}            asks for it
       {$a} --remove

Options:
      --remove   remove the token: changes are then neither sent nor recorded
  -h, --help     show this help

Exit status: 0 done; 1 the token is set in config.php; 2 wrong usage, or no token.';
$string['cli_settoken_prompt'] = 'Site token (not shown): ';
$string['cli_settoken_removed'] = 'The site token is removed.';
$string['cli_settoken_unsealed'] = 'It is stored unencrypted, because this user may not make Moodle\'s key for that. "Test connection" on the settings page encrypts it.';
$string['cli_status_help'] = 'Shows the status of the deliveries to the backend.

Usage: {$a} [--json]

Options:
  -j, --json   print JSON; times are Unix seconds
  -h, --help   show this help

Exit status: 0 all is well, or not set up yet; 1 delivery fails, changes have been waiting too long or were rejected, or the
scheduled task does not run; 2 wrong usage.';
$string['cli_waiting'] = 'Waiting: {$a->waiting}, postponed: {$a->postponed}, rejected: {$a->rejected}';
$string['clocks_agree'] = 'The clocks agree again, so the next retry should succeed.';
$string['clocks_ahead'] = 'This server\'s clock is {$a->difference} ahead of the backend\'s: it showed {$a->here} when the backend\'s showed {$a->backend}.';
$string['clocks_behind'] = 'This server\'s clock is {$a->difference} behind the backend\'s: it showed {$a->here} when the backend\'s showed {$a->backend}.';
$string['clocks_correct'] = 'Correct the wrong one, preferably with a time server (NTP). Sending then resumes automatically.';
$string['clocks_resetneeded'] = 'This server\'s clock was ahead and has been corrected, but the times it gives to changes are still {$a->ahead} ahead. Ask the backend\'s operator to run "backend-sync site repair-versions {$a->site}", in case records there have such times. Then press "Reset change times".';
$string['compression'] = 'Compress requests';
$string['compression_always'] = 'Always';
$string['compression_auto'] = 'When something in between refuses them';
$string['compression_desc'] = 'A firewall may refuse a text, such as feedback about programming, that it takes for an attack. It does not look into compressed requests (gzip). Only a backend that can unpack them gets any.';
$string['compression_never'] = 'Never';
$string['confirm_acceptpast'] = 'Was this site restored from an older backup, or this plugin installed anew? Then everything is compared with the backend, and what differs is sent in its present state. If this is a copy of another site, give it its own token instead.';
$string['confirm_acceptsite'] = 'Has the site moved to this address? Confirm only if no other copy of it sends to the backend with this token. Sending then resumes.';
$string['confirm_backfillcancel'] = 'Cancel the full synchronisation? It can only be started again from the beginning. To continue it later, pause it instead.';
$string['confirm_backfillcancel_button'] = 'Cancel the full synchronisation';
$string['confirm_discard'] = 'Discard the {$a} selected changes? The backend will not receive them until the records change again.';
$string['confirm_discard_one'] = 'Discard the selected change? The backend will not receive it until the record changes again.';
$string['confirm_discardall'] = 'Discard all rejected changes? The backend will not receive them until the records change again.';
$string['confirm_discardall_button'] = 'Discard all';
$string['confirm_paritydelete'] = 'Delete all records in the backend that Moodle does not have? Confirm only if they were really deleted here. A copied or incomplete database would delete what the real site sent.';
$string['confirm_resetversions'] = 'Is this server\'s clock correct now? Changes will get their times from it again, and everything will be sent to the backend again in the background.';
$string['connecttimeout'] = 'Connection timeout';
$string['connecttimeout_desc'] = 'Seconds to wait for a connection to the backend.';
$string['count_differing'] = '{$a} records differ';
$string['count_differing_one'] = '1 record differs';
$string['count_postponed'] = '{$a} were postponed because the backend failed on them.';
$string['count_postponed_one'] = '1 was postponed because the backend failed on it.';
$string['count_rejected'] = '{$a} were rejected; the reasons are below.';
$string['count_rejected_one'] = '1 was rejected; the reason is below.';
$string['count_rejectedhere'] = 'The backend rejected {$a} changes. The reasons are below; retry or discard the changes there.';
$string['count_rejectedhere_one'] = 'The backend rejected 1 change. The reason is below; retry or discard the change there.';
$string['count_rejectedtotal'] = 'The backend rejected {$a} changes. The status page lists the reasons; retry or discard them there.';
$string['count_rejectedtotal_one'] = 'The backend rejected 1 change. The status page shows the reason; retry or discard it there.';
$string['count_sent'] = '{$a} changes were sent.';
$string['count_sent_one'] = '1 change was sent.';
$string['count_unchanged'] = '{$a} did not need to be sent.';
$string['count_unchanged_one'] = '1 did not need to be sent.';
$string['count_waiting'] = '{$a} changes are waiting';
$string['count_waiting_one'] = '1 change is waiting';
$string['custom_course'] = 'Custom course fields';
$string['custom_desc'] = 'Default: none. Only the fields that are chosen here are sent.';
$string['custom_user'] = 'Custom profile fields';
$string['discard'] = 'Discard';
$string['discardall'] = 'Discard all ({$a})';
$string['discarded'] = 'Discarded.';
$string['event_created'] = 'created';
$string['event_deleted'] = 'deleted';
$string['event_updated'] = 'changed';
$string['eventdeliveryfailed'] = 'Delivery to the backend failed';
$string['eventdeliveryrecovered'] = 'Delivery to the backend recovered';
$string['eventeventrejected'] = 'Change rejected by the backend';
$string['eventpersonviewed'] = 'What is sent about a person was viewed';
$string['field_completion_completionid'] = 'Completion ID';
$string['field_completion_courseid'] = 'Course ID';
$string['field_completion_timecompleted'] = 'Time the course was completed';
$string['field_completion_userid'] = 'User ID';
$string['field_course_categories'] = 'Categories, from the top';
$string['field_course_categoryid'] = 'Category ID';
$string['field_course_categoryname'] = 'Category name';
$string['field_course_courseid'] = 'Course ID';
$string['field_course_enddate'] = 'End date';
$string['field_course_format'] = 'Course format';
$string['field_course_fullname'] = 'Full name';
$string['field_course_idnumber'] = 'ID number';
$string['field_course_shortname'] = 'Short name';
$string['field_course_startdate'] = 'Start date';
$string['field_course_timecreated'] = 'Time created';
$string['field_course_timemodified'] = 'Time last changed';
$string['field_course_visible'] = 'Whether students can see it';
$string['field_enrolment_courseid'] = 'Course ID';
$string['field_enrolment_enabled'] = 'Whether the enrolment method is enabled';
$string['field_enrolment_enrol'] = 'Enrolment method';
$string['field_enrolment_enrollmentid'] = 'Enrolment ID';
$string['field_enrolment_groups'] = 'Groups in the course';
$string['field_enrolment_roles'] = 'Roles in the course';
$string['field_enrolment_status'] = 'Whether the enrolment is suspended';
$string['field_enrolment_timecreated'] = 'Time created';
$string['field_enrolment_timeend'] = 'Enrolment end';
$string['field_enrolment_timemodified'] = 'Time last changed';
$string['field_enrolment_timestart'] = 'Enrolment start';
$string['field_enrolment_userid'] = 'User ID';
$string['field_grade_courseid'] = 'Course ID';
$string['field_grade_feedback'] = 'Feedback';
$string['field_grade_finalgrade'] = 'Grade';
$string['field_grade_gradeid'] = 'Grade ID';
$string['field_grade_grademax'] = 'Maximum grade';
$string['field_grade_grademin'] = 'Minimum grade';
$string['field_grade_gradepass'] = 'Grade to pass';
$string['field_grade_grader'] = 'User ID of the grader';
$string['field_grade_gradetext'] = 'Grade in words (scale)';
$string['field_grade_gradetype'] = 'Grade type: value, scale or text';
$string['field_grade_hidden'] = 'Whether the grade is hidden';
$string['field_grade_itemid'] = 'Grade item ID';
$string['field_grade_itemidnumber'] = 'Grade item ID number';
$string['field_grade_iteminstance'] = 'Activity ID';
$string['field_grade_itemmodule'] = 'Activity module';
$string['field_grade_itemname'] = 'Grade item name';
$string['field_grade_itemtype'] = 'Grade item type: activity, manual, category total or course total';
$string['field_grade_scale'] = 'Scale items';
$string['field_grade_scaleid'] = 'Scale ID';
$string['field_grade_timecreated'] = 'Time the work was submitted';
$string['field_grade_timemodified'] = 'Time of grading';
$string['field_grade_userid'] = 'User ID';
$string['field_user_auth'] = 'Authentication method';
$string['field_user_city'] = 'City/town';
$string['field_user_cohorts'] = 'Cohorts';
$string['field_user_confirmed'] = 'Whether the email address is confirmed';
$string['field_user_country'] = 'Country';
$string['field_user_department'] = 'Department';
$string['field_user_email'] = 'Email address';
$string['field_user_firstname'] = 'First name';
$string['field_user_idnumber'] = 'ID number';
$string['field_user_institution'] = 'Institution';
$string['field_user_lang'] = 'Preferred language';
$string['field_user_lastname'] = 'Last name';
$string['field_user_phone1'] = 'Phone';
$string['field_user_phone2'] = 'Mobile phone';
$string['field_user_suspended'] = 'Whether the account is suspended';
$string['field_user_timecreated'] = 'Time created';
$string['field_user_timemodified'] = 'Time last changed';
$string['field_user_timezone'] = 'Timezone';
$string['field_user_userid'] = 'User ID';
$string['field_user_username'] = 'Username';
$string['fields_completion'] = 'Course completion fields';
$string['fields_course'] = 'Course fields';
$string['fields_desc'] = 'Default: all. IDs are always sent.';
$string['fields_enrolment'] = 'Enrolment fields';
$string['fields_grade'] = 'Grade fields';
$string['fields_user'] = 'User fields';
$string['found'] = 'Found by comparing';
$string['found_changed'] = 'changed';
$string['found_confirmed'] = 'email address confirmed';
$string['found_count'] = 'Number';
$string['found_desc'] = 'Moodle does not report every change, for example those made directly in the database or by some plugins. Backend Sync finds the most common ones within an hour and all others every night, and sends them. These were found by the frequent comparison since the plugin was installed:';
$string['found_gone'] = 'deleted';
$string['found_last'] = 'Last';
$string['found_new'] = 'new';
$string['found_what'] = 'What';
$string['heading_how'] = 'How it is sent';
$string['heading_how_desc'] = 'The defaults suit nearly every site.';
$string['heading_what'] = 'What is sent';
$string['heading_what_desc'] = 'Choose what leaves this site. IDs are always sent, because they identify the record. Your choice applies to what is sent from now on. To clear fields in the backend that were sent before, save the settings, then synchronise everything on the status page. If you switch off a kind of record, the backend keeps what it already has of it.';
$string['immediate'] = 'Send immediately';
$string['immediate_desc'] = 'Sends a change within a second, after the page has gone to the browser, so nobody waits for it. Otherwise the scheduled task sends it within a minute.';
$string['immediate_impossible'] = 'Not available on this web server, because PHP runs neither as PHP-FPM nor under LiteSpeed: the scheduled task sends every change within a minute, whatever you choose here.';
$string['kind_completion'] = 'Course completion';
$string['kind_course'] = 'Course';
$string['kind_enrolment'] = 'Enrolment';
$string['kind_grade'] = 'Grade';
$string['kind_user'] = 'User';
$string['kinds_completion'] = 'Course completions';
$string['kinds_course'] = 'Courses';
$string['kinds_enrolment'] = 'Enrolments';
$string['kinds_grade'] = 'Grades';
$string['kinds_user'] = 'Users';
$string['language'] = 'Language of names';
$string['language_default'] = 'Default language of the site ({$a})';
$string['language_desc'] = 'If names of courses, categories, grade items or scales hold several languages (multilang), only this one is sent, as the filters that this site applies to headings resolve it. After a change, the nightly comparison sends the new names.';
$string['level_error'] = 'Error';
$string['level_info'] = 'To do';
$string['level_ok'] = 'OK';
$string['level_warning'] = 'Warning';
$string['messageprovider:waiting'] = 'Changes have been waiting too long for the backend';
$string['number_backend'] = 'Name of this site in the backend';
$string['number_backend_version'] = 'backend version {$a}';
$string['number_lastsuccess'] = 'Last delivery';
$string['number_lasttask'] = 'Last run of the scheduled task';
$string['number_postponed'] = 'Postponed';
$string['number_postponed_hint'] = 'to be sent later, for example when a hidden grade is shown';
$string['number_rejected'] = 'Rejected';
$string['number_sentday'] = 'Sent in the last 24 hours';
$string['number_senthour'] = 'Sent in the current and the previous hour';
$string['number_waiting'] = 'Waiting';
$string['number_waiting_age'] = 'the oldest for {$a}';
$string['outcome_sent'] = 'Would be sent';
$string['outcome_unsupported'] = 'Not sent';
$string['outcome_unsupported_why'] = 'The backend does not accept this type of event. Update the backend.';
$string['outcome_uptodate'] = 'Up to date';
$string['outcome_uptodate_why'] = 'The backend already holds exactly this state, so it is not sent again.';
$string['outcome_withdrawn'] = 'Withdrawn';
$string['outcome_withdrawn_frontpage'] = 'This grade belongs to the front page, which is not a course, but was sent before, so the backend is told to delete it. Only these IDs are sent.';
$string['outcome_withdrawn_unconfirmed'] = 'The email address of this account is not confirmed, but the account was sent before, so the backend is told to delete it. Only its ID is sent.';
$string['outcome_withdrawn_user'] = 'This is the guest account, which was sent before, so the backend is told to delete it. Only its ID is sent.';
$string['outcome_withdrawn_why'] = 'This grade is hidden now but was sent before, so the backend is told to delete it. Only these IDs are sent.';
$string['outcome_withheld'] = 'Withheld';
$string['outcome_withheld_frontpage'] = 'This is a grade of an activity on the front page, which is not a course, so it is never sent.';
$string['outcome_withheld_unconfirmed'] = 'The owner of this account has not confirmed the email address, so the account is not sent until then.';
$string['outcome_withheld_user'] = 'This is the guest account, which does not belong to a person, so it is never sent.';
$string['outcome_withheld_why'] = 'This grade is hidden in Moodle, so it is not sent until it is shown.';
$string['outofrange'] = 'Enter a whole number from {$a->min} to {$a->max}.';
$string['parity'] = 'Comparison with the backend';
$string['parity_agree'] = 'Backend and {$a->destination} agree with this Moodle, as of {$a->when}.';
$string['parity_asks'] = '{$a->kind}: {$a->count} are in the backend and not in Moodle. That is unusually many, so they are not deleted until you confirm it.';
$string['parity_backend'] = 'Backend';
$string['parity_cannot'] = 'The backend is too old to be compared with. Upgrade it first.';
$string['parity_destination_agrees'] = '{$a->destination} has what the backend writes, as of {$a->when}.';
$string['parity_destination_differs'] = 'In {$a->destination}, {$a->differing}: see the page Parity of the backend\'s console.';
$string['parity_destination_unknown'] = 'The backend has not compared all records with {$a->destination} yet.';
$string['parity_differs'] = 'The backend does not hold what Moodle holds, as of {$a->when}: {$a->differing}.';
$string['parity_equal'] = 'The backend holds what Moodle holds, as of {$a->when}.';
$string['parity_kind'] = 'Kind, with its digest (the same as the backend shows)';
$string['parity_moodle'] = 'Moodle';
$string['parity_never'] = 'Nothing has been compared yet. That happens every night.';
$string['parity_repaired'] = 'Repaired: {$a}.';
$string['parity_requested'] = 'The comparison begins with the next run of the scheduled task, within a minute.';
$string['parity_restored'] = 'The backend was restored from an older backup.';
$string['parity_result'] = 'Result';
$string['parity_result_equal'] = 'equal';
$string['parity_result_unprovable'] = '(not comparable: {$a})';
$string['parity_start'] = 'Compare now';
$string['parity_underway'] = 'Everything is being compared with the backend.';
$string['parity_wentback'] = 'This site was restored from an older backup, or this plugin was installed anew.';
$string['paritydelete'] = 'Delete them in the backend';
$string['pluginname'] = 'Backend Sync';
$string['preview'] = 'What is sent';
$string['preview_account'] = 'Account';
$string['preview_choose'] = 'Several people match. Choose one:';
$string['preview_cut'] = 'Only the first {$a} are shown. The others are sent in the same way.';
$string['preview_desc'] = 'Choose a person to see exactly what would leave this site now, with the current settings. Courses are sent too, but contain no personal data.';
$string['preview_empty'] = 'empty';
$string['preview_json'] = 'As JSON';
$string['preview_json_desc'] = 'An ID, the time and a sequence number are added on sending.';
$string['preview_more'] = 'Only the first {$a} are shown. Enter more of the name.';
$string['preview_nobody'] = 'Nobody found. Check the spelling; deleted accounts are not shown.';
$string['preview_none'] = 'There are no records of this kind.';
$string['preview_null'] = 'no value (null)';
$string['preview_off'] = 'Records of this kind are not sent: they are switched off in the settings.';
$string['preview_search'] = 'Name, username, email address, ID number or ID';
$string['preview_show'] = 'Show';
$string['privacy:metadata:backend_completion'] = 'Course completions are sent to the backend, which passes them on to the CRM.';
$string['privacy:metadata:backend_course'] = 'Courses are sent to the backend, which passes them on to the CRM. They contain no personal data.';
$string['privacy:metadata:backend_enrolment'] = 'Enrolments, with the roles in the course, are sent to the backend, which passes them on to the CRM.';
$string['privacy:metadata:backend_grade'] = 'Grades are sent to the backend, which passes them on to the CRM. Hidden grades are sent only if the site allows it.';
$string['privacy:metadata:backend_user'] = 'All user accounts are sent to the backend, which passes them on to the CRM.';
$string['privacy:metadata:code'] = 'The backend\'s code for the reason of the rejection';
$string['privacy:metadata:courseid'] = 'The ID of the course';
$string['privacy:metadata:detail'] = 'The reason in words';
$string['privacy:metadata:event'] = 'Whether the record was created, updated or deleted';
$string['privacy:metadata:hash'] = 'A digest of the state sent last';
$string['privacy:metadata:itemid'] = 'The ID of the grade item';
$string['privacy:metadata:kind'] = 'The kind of record, such as grade or enrolment';
$string['privacy:metadata:objectid'] = 'The ID of the record';
$string['privacy:metadata:outbox'] = 'Changes waiting to be sent. They contain IDs, not the data itself.';
$string['privacy:metadata:refused'] = 'A digest of the state that the backend refused';
$string['privacy:metadata:rejected'] = 'Changes that the backend rejected.';
$string['privacy:metadata:sent'] = 'Which records the backend holds, with a digest of the state sent last.';
$string['privacy:metadata:timecreated'] = 'When the row was written';
$string['privacy:metadata:timedue'] = 'The earliest time to send it';
$string['privacy:metadata:timesent'] = 'When it was last sent';
$string['privacy:metadata:userid'] = 'The ID of the user whom the record is about';
$string['privacy:path:outbox'] = 'Changes waiting to be sent';
$string['privacy:path:rejected'] = 'Changes that the backend rejected';
$string['privacy:path:sent'] = 'What the backend holds';
$string['reason_blocked'] = 'Moodle\'s HTTP security settings block this address. Allow it there: Site administration > General > Security > HTTP security.';
$string['reason_clockahead'] = 'The backend accepts nothing from this site at the moment, because the times of its changes are ahead of the backend\'s clock.';
$string['reason_connecttimeout'] = 'Connecting to {$a->url} timed out. If the address is right, a firewall drops the connection: have it let this server through.';
$string['reason_contractversion'] = 'The backend and this plugin use different versions of the API. Update the older of the two.';
$string['reason_detail'] = '({$a})';
$string['reason_dns'] = 'The host name "{$a->host}" was not found. Correct the backend API URL or, if the name is right, this server\'s DNS.';
$string['reason_insecureurl'] = 'The backend API URL starts with http:// and points to another machine, so personal data would travel unencrypted. Use https://, or allow http in the settings.';
$string['reason_intercepted'] = 'Something between this server and the backend refuses requests (HTTP {$a->status}): a firewall, a proxy or a password protection. The answer does not come from the backend at {$a->url}. Ask whoever runs it to let this server\'s requests pass unchanged.';
$string['reason_invalidurl'] = 'The backend API URL is not valid. It should look like https://sync.college.example, without a user name, query or fragment.';
$string['reason_network'] = 'The connection to {$a->url} broke. It is retried automatically; if it keeps breaking, have the network between this server and the backend checked.';
$string['reason_notconfigured'] = 'The backend API URL or the site token is not set. Set both in the Backend Sync settings.';
$string['reason_notcontract'] = 'What answers at {$a->url} is not a Backend Sync backend (HTTP {$a->status}). Enter the address at which the backend itself answers, without a login page or anything else in front of it.';
$string['reason_notfound'] = 'There is no Backend Sync backend at {$a->url} (HTTP {$a->status}). Enter the URL without a path, unless a reverse proxy serves the backend under one.';
$string['reason_notstarted'] = 'Sending has not been started. Look at "What is sent", then press "Start sending" on the status page.';
$string['reason_othersite'] = 'This Moodle was copied or moved from another address. Nothing is sent, because a copy would overwrite what the original site sends. If the site has moved, press "This is the right site" on the status page. If it is a copy, give it its own token, or remove the token.';
$string['reason_proxy'] = 'The proxy in Moodle\'s settings does not connect this server to {$a->url}. Correct it, or let {$a->host} bypass it: Site administration > Server > HTTP.';
$string['reason_redirect'] = 'The backend API URL redirects to another address (HTTP {$a->status}). Redirects are not followed, because that would reveal the token. Enter the final address.';
$string['reason_refused'] = 'Nothing accepts connections at {$a->url}. Start the backend there, or correct the address.';
$string['reason_servererror'] = 'The backend had an internal error (HTTP {$a->status}); its log has the details. Sending is retried automatically.';
$string['reason_timeout'] = 'The backend accepted the connection but did not answer in time. It may be overloaded. If this happens again, raise the response timeout in the settings.';
$string['reason_tls'] = 'There is no https at {$a->url}. Correct the port in the backend API URL, or set up TLS in front of the backend.';
$string['reason_tlsexpired'] = 'The certificate of {$a->host} is not valid today. Have it renewed, if this server\'s date is right.';
$string['reason_tlsname'] = 'The certificate of the backend is not for {$a->host}. Enter the host name that it is for.';
$string['reason_tlsuntrusted'] = 'The certificate of {$a->host} is not signed by an authority that this server trusts. Use one from a public authority, or add yours to those that this server trusts.';
$string['reason_tokenunreadable'] = 'The stored site token cannot be decrypted. Probably the database was restored without the key in Moodle\'s data folder. Enter the token again in the settings.';
$string['reason_unauthorized'] = 'The backend does not accept the site token (HTTP {$a->status}). Create another one on the backend with "backend-sync site rotate-token NAME" ("backend-sync site list" shows the name), and enter it in the settings.';
$string['reason_unavailable'] = 'The backend is not available at the moment (HTTP {$a->status}). Sending is retried automatically.';
$string['reason_wentback'] = 'The backend has received more from this site than this site remembers, so nothing is sent. If this site was restored from an older backup, or this plugin installed anew, press "Compare everything and go on" on the status page. If this is a copy of another site, give it its own token.';
$string['rejected'] = 'Rejected changes';
$string['rejected_desc'] = 'A change is rejected because of its content, and does not hold up others. Correct the cause, then retry: the record is then sent in its present state. A rejected change also leaves this list when the record changes and the backend accepts it.';
$string['rejected_fatal'] = 'The process that sends ended several times while it worked on this change, although it was alone. PHP may have run out of memory: see its error log. Raise memory_limit or shorten the record\'s texts, then retry.';
$string['rejected_intercepted'] = 'Something between this server and the backend, such as a firewall, refuses this change because of its content ({$a}), while other requests pass. Have it let pass what this server sends to the backend. The change is retried every hour.';
$string['rejected_none'] = 'The backend has not rejected any changes.';
$string['rejected_reason'] = 'Reason';
$string['rejected_superseded'] = 'The backend holds a newer state of this record and ignored the one sent. Probably the clock of this or a previous server was ahead, or the person was erased in the backend. Check the clock, then retry. If that does not help, ask the backend\'s operator to run: backend-sync site repair-versions NAME, with the name that "backend-sync site list" shows.';
$string['rejected_what'] = 'Change';
$string['resetversions'] = 'Reset change times';
$string['resetversions_differ'] = 'Nothing was reset. {$a} Correct the wrong one with a time server (NTP), then reset again.';
$string['resetversions_done'] = 'The change times were reset. Sending resumes, and everything is sent again in the background. If changes are rejected because the backend holds a newer state, ask its operator to run: backend-sync site repair-versions {$a}. Then press "Retry all".';
$string['resetversions_notneeded'] = 'There is nothing to reset: the times of changes are no further ahead of the backend\'s clock than it allows.';
$string['retry'] = 'Retry';
$string['retryall'] = 'Retry all ({$a})';
$string['saveandtest'] = 'Save and test connection';
$string['selectone'] = 'Nothing is selected. Tick at least one change.';
$string['send_cohorts'] = 'Send cohorts';
$string['send_cohorts_desc'] = 'The names of the cohorts that a user is in, also of those that are hidden.';
$string['send_completion'] = 'Send course completions';
$string['send_completion_desc'] = 'Who completed which course, and when.';
$string['send_course'] = 'Send courses';
$string['send_course_desc'] = 'Courses that are created, changed or deleted.';
$string['send_enrolment'] = 'Send enrolments';
$string['send_enrolment_desc'] = 'Who is enrolled in which course, since when, and with which roles.';
$string['send_grade'] = 'Send grades';
$string['send_grade_desc'] = 'Activity grades and course totals, with their feedback.';
$string['send_groups'] = 'Send groups';
$string['send_groups_desc'] = 'The names of the groups that a user is in, with each enrolment in the course.';
$string['send_user'] = 'Send users';
$string['send_user_desc'] = 'Accounts that are created, changed or deleted.';
$string['sendhidden'] = 'Send hidden grades';
$string['sendhidden_desc'] = 'Also send grades that students cannot see, and all totals as they are. Otherwise exactly what students see in their grade report is sent: a grade is sent when it is shown and withdrawn when it is hidden, and a total that contains something hidden is treated as the course\'s gradebook settings say.';
$string['sendnow'] = 'Send now';
$string['settings'] = 'Settings';
$string['settings_title'] = 'Backend Sync settings';
$string['startsending'] = 'Start sending';
$string['status'] = 'Status';
$string['status_title'] = 'Backend Sync status';
$string['summary_backoff'] = 'The last delivery has just failed. Next retry in {$a}.';
$string['summary_more'] = 'More changes are waiting: the scheduled task continues within a minute.';
$string['summary_nothing'] = 'There was nothing to send.';
$string['taskreconcile'] = 'Compare everything with the backend';
$string['tasksend'] = 'Send changes to the backend';
$string['taskwatch'] = 'Alert when changes wait too long for the backend';
$string['test_clockahead'] = 'This server\'s clock is {$a} ahead of the backend\'s. Set both with a time server (NTP): the backend treats the state with the later time as the newer one.';
$string['test_clockbehind'] = 'This server\'s clock is {$a} behind the backend\'s. Set both with a time server (NTP): the backend treats the state with the later time as the newer one.';
$string['test_intro'] = 'Asks {$a} whether it accepts the site token, using the saved settings.';
$string['test_success'] = 'The connection works. The backend knows this site as "{$a->site}". Backend version {$a->version}, answered in {$a->ms} ms.';
$string['test_types'] = 'The backend is too old for some events, so they are not sent: {$a}. Update the backend.';
$string['testagain'] = 'Test again';
$string['testconnection'] = 'Test connection';
$string['timeout'] = 'Response timeout';
$string['timeout_desc'] = 'Seconds to wait for the backend to answer a request. Raise it if the status page reports timeouts.';
$string['verdict_failing'] = 'Delivery has been failing since {$a->since}: {$a->reason} {$a->waiting}; nothing is lost. {$a->retry}';
$string['verdict_newtarget'] = 'The settings have changed, and nothing has been sent with them yet. The scheduled task does so within a minute; "Test connection" tells at once whether they work.';
$string['verdict_notconfigured'] = 'Not set up yet. Enter the backend API URL and the site token in the settings, then press "Save and test connection". Nothing is sent until you start it.';
$string['verdict_nothingsent'] = 'Sending has been started. The first delivery follows within a minute.';
$string['verdict_notstarted'] = 'Set up, but sending has not been started, so nothing leaves this site. Look at "What is sent", then press "Start sending" on the status page.';
$string['verdict_notstartedhere'] = 'Set up, but sending has not been started, so nothing leaves this site.';
$string['verdict_ok'] = 'All is well. Nothing is waiting; the last delivery was {$a} ago.';
$string['verdict_okwaiting'] = 'All is well. {$a} for the next delivery.';
$string['verdict_retry'] = 'Next retry in {$a}.';
$string['verdict_retrynextrun'] = 'Next retry at the next run of the scheduled task.';
$string['verdict_retrystuck'] = 'There is no automatic retry, because Moodle scheduled the task while this server\'s clock was ahead. Press "Send now" on the status page.';
$string['verdict_taskahead'] = 'The scheduled task last ran on {$a}, which is in the future: this server\'s clock was ahead, and until then Moodle starts no task that ran during that time. "Send now" on the status page reschedules the Backend Sync tasks. For all other tasks, see Site administration > Server > Tasks > Scheduled tasks.';
$string['verdict_taskdisabled'] = 'The scheduled task "Send changes to the backend" is disabled. Enable it: Site administration > Server > Tasks > Scheduled tasks.';
$string['verdict_tasklate'] = 'The scheduled task that sends changes has not run for {$a}. Check that Moodle\'s cron runs every minute.';
$string['verdict_taskneverran'] = 'The scheduled task that sends changes has never run. Check that Moodle\'s cron runs every minute.';
$string['verdict_waiting'] = '{$a->waiting}, the oldest for {$a->age}. Nothing is lost. If this goes on, see the log of the scheduled task "Send changes to the backend".';
